#pragma once
// The two faces of the streams: a WebSocket, and Server-Sent Events. docs/streams.md is their protocol.

#include <memory>

#include "server/mount.h"
#include "streamserver/loop_streams.h"
#include "ws/handshake.h"

namespace fanfare::streamserver {

// `/streams`. A plain GET is answered 426 "upgrade required".
class WebSocketMount final : public server::Mount {
 public:
  WebSocketMount(std::shared_ptr<LoopStreams> loop, ws::UpgradePolicy policy)
      : loop_(std::move(loop)), policy_(std::move(policy)) {}

  server::Offer offer(const server::PathPattern::Match& match) const override;
  void on_request(session::HttpConnection& session, const server::Target& target) override;
  session::UpgradeDecision on_upgrade(session::HttpConnection& session,
                                      const server::Target& target) override;

 private:
  const std::shared_ptr<LoopStreams> loop_;
  const ws::UpgradePolicy policy_;
};

// `/streams/sse?stream=S`.
class EventsMount final : public server::Mount {
 public:
  explicit EventsMount(std::shared_ptr<LoopStreams> loop) : loop_(std::move(loop)) {}

  server::Offer offer(const server::PathPattern::Match& match) const override;
  void on_request(session::HttpConnection& session, const server::Target& target) override;

 private:
  const std::shared_ptr<LoopStreams> loop_;
};

}  // namespace fanfare::streamserver
