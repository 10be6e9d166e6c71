#pragma once
// The two faces of the streams: a WebSocket, and Server-Sent Events. docs/streams.md is their protocol.

#include <functional>
#include <memory>

#include "server/mount.h"
#include "streamserver/loop_streams.h"
#include "ws/handshake.h"

namespace fanfare::streamserver {

// Makes the permit of an admitted client, within the call of the mount. Empty: there is no access control.
using MakePermit =
    std::function<std::unique_ptr<streams::Permit>(const session::HttpConnection&, const server::Target&)>;

// `/streams`. A plain GET is answered 426 "upgrade required".
class WebSocketMount final : public server::Mount {
 public:
  WebSocketMount(std::shared_ptr<LoopStreams> loop, ws::UpgradePolicy policy, MakePermit make_permit = {})
      : loop_(std::move(loop)), policy_(std::move(policy)), make_permit_(std::move(make_permit)) {}

  server::Offer offer(const server::PathPattern::Match& match) const override;
  void on_request(session::HttpConnection& session, const server::Target& target) override;
  session::UpgradeDecision on_upgrade(session::HttpConnection& session,
                                      const server::Target& target) override;

 private:
  const std::shared_ptr<LoopStreams> loop_;
  const ws::UpgradePolicy policy_;
  const MakePermit make_permit_;
};

// `/streams/sse?stream=S`.
class EventsMount final : public server::Mount {
 public:
  explicit EventsMount(std::shared_ptr<LoopStreams> loop, MakePermit make_permit = {})
      : loop_(std::move(loop)), make_permit_(std::move(make_permit)) {}

  server::Offer offer(const server::PathPattern::Match& match) const override;
  void on_request(session::HttpConnection& session, const server::Target& target) override;

 private:
  const std::shared_ptr<LoopStreams> loop_;
  const MakePermit make_permit_;
};

}  // namespace fanfare::streamserver
