#pragma once
// The rooms of a server over HTTP: docs/canvas.md, "Connecting". Each mount serves one loop.

#include <functional>
#include <memory>

#include "canvasserver/permit.h"
#include "canvasserver/rooms.h"
#include "server/mount.h"
#include "ws/handshake.h"

namespace fanfare::canvasserver {

// Makes the permit of an admitted client, within the call of the mount. Empty: there is no access control.
using MakePermit =
    std::function<std::unique_ptr<Permit>(const session::HttpConnection&, const server::Target&)>;

// The path's parameter that names the room.
inline constexpr std::string_view kRoomParameter = "room";

// What all mounts of a loop share.
struct MountContext {
  std::shared_ptr<LoopRooms> loop;
  MakePermit make_permit = {};
};

// The room that a path names, and the permit to look at it; or the answer.
struct Entrance {
  std::shared_ptr<RoomThread> room;
  std::unique_ptr<Permit> permit;
};

// `/canvas/{room}`. A plain GET is answered 426 "upgrade required".
class WebSocketMount final : public server::Mount {
 public:
  WebSocketMount(MountContext context, ws::UpgradePolicy policy)
      : context_(std::move(context)), policy_(std::move(policy)) {}

  server::Offer offer(const server::PathPattern::Match& match) const override;
  void on_request(session::HttpConnection& session, const server::Target& target) override;
  session::UpgradeDecision on_upgrade(session::HttpConnection& session,
                                      const server::Target& target) override;

 private:
  const MountContext context_;
  const ws::UpgradePolicy policy_;
};

// `/canvas/{room}/image.png`.
class ImageMount final : public server::Mount {
 public:
  explicit ImageMount(MountContext context) : context_(std::move(context)) {}

  server::Offer offer(const server::PathPattern::Match& match) const override;
  void on_request(session::HttpConnection& session, const server::Target& target) override;

 private:
  const MountContext context_;
};

// `/canvas/{room}/info`.
class InfoMount final : public server::Mount {
 public:
  explicit InfoMount(MountContext context) : context_(std::move(context)) {}

  server::Offer offer(const server::PathPattern::Match& match) const override;
  void on_request(session::HttpConnection& session, const server::Target& target) override;

 private:
  const MountContext context_;
};

// The subprotocols that a canvas selects, in its order. `others`: of access control.
std::vector<std::string> canvas_subprotocols(std::vector<std::string> others);

}  // namespace fanfare::canvasserver
