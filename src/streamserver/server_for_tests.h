#pragma once
// The streams of a server on one loop, over socket pairs, and raw clients.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/loop_context.h"
#include "server/router.h"
#include "session/loop_server_for_tests.h"
#include "streams/permit_for_tests.h"
#include "streams/world_for_tests.h"
#include "streamserver/mounts.h"

namespace fanfare::streamserver {

// What the server sends as one unmasked text frame.
inline std::string frame_of(std::string_view payload) {
  std::string frame("\x81");
  if (payload.size() < 126) {
    frame += static_cast<char>(payload.size());
  } else {
    frame += static_cast<char>(126);
    frame += static_cast<char>(payload.size() >> 8U);
    frame += static_cast<char>(payload.size() & 0xffU);
  }
  return frame + std::string(payload);
}

class StreamServerTest : public session::LoopServerTest {
 protected:
  void begin(streams::Limits limits = {}, session::LoopServerOptions options = {},
             const streams::StreamOptions& stream = {}, const MakePermit& make_permit = {}) {
    world_ = std::make_unique<streams::World>(limits);
    stream_ = world_->add("s", stream);
    start(options);
    endpoint_settings_ = session_settings(limits, settings_);
    auto loop =
        std::make_shared<LoopStreams>(world_->catalog, world_->loops.at(0), *server_, endpoint_settings_);
    router_ = std::make_unique<server::Router>(std::make_shared<server::LoopContext>(*loop_, 0));
    router_->mount(*server::PathPattern::parse("/streams"),
                   std::make_shared<WebSocketMount>(loop, ws::UpgradePolicy{}, make_permit));
    router_->mount(*server::PathPattern::parse("/streams/sse"),
                   std::make_shared<EventsMount>(loop, make_permit));
  }
  ~StreamServerTest() override {
    server_.reset();
    // Answers that have ended are destroyed in the next turn.
    loop_->run_once(std::chrono::milliseconds(0));
  }

  net::Descriptor connect() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server_->serve(net::Descriptor(ends[0]), *router_);
    return net::Descriptor(ends[1]);
  }
  net::Descriptor upgrade() {
    net::Descriptor peer = connect();
    std::string request(session::kUpgrade);
    request.replace(4, 5, "/streams");
    write(peer, request);
    return peer;
  }
  // After the welcome.
  net::Descriptor open() {
    net::Descriptor peer = upgrade();
    EXPECT_THAT(read_until(peer, "\"timestamp\":"), testing::HasSubstr("101 Switching Protocols"));
    read_until_quiet(peer);
    return peer;
  }
  void read_until_quiet(const net::Descriptor& peer) {
    for (int i = 0; i < 3; ++i) loop_->run_once(std::chrono::milliseconds(0));
    read_now(peer);
  }
  static void say(const net::Descriptor& peer, std::string_view message) {
    write(peer, session::client_frame(0x81, message));
  }
  net::Descriptor get(std::string_view target, std::string_view headers = {}) {
    net::Descriptor peer = connect();
    write(peer, "GET " + std::string(target) + " HTTP/1.1\r\nHost: here\r\n" + std::string(headers) + "\r\n");
    return peer;
  }
  std::string answer_to(std::string_view target, std::string_view headers = {}) {
    const net::Descriptor peer = get(target, headers);
    return read_until(peer, "\n") + read_now(peer);
  }
  // With access control; permits_ are those of the clients, in their order.
  void begin_guarded(std::uint32_t messages = 100) {
    begin({}, {}, {}, [this, messages](const session::HttpConnection&, const server::Target&) {
      auto permit = std::make_unique<streams::TestPermit>();
      permit->granted = {"s"};
      permit->messages = messages;
      permits_.push_back(permit.get());
      return permit;
    });
    world_->add("secret");
  }
  void publish(int n) { world_->publish(*stream_, R"({"n":)" + std::to_string(n) + "}"); }
  // A value whose message to plain clients has so many bytes.
  void publish_sized(std::size_t bytes) {
    const std::string rest =
        R"({"type":"s","data":{"t":""},"timestamp":)" + std::to_string(world_->seconds()) + "}";
    world_->publish(*stream_, R"({"t":")" + std::string(bytes - rest.size(), 'x') + "\"}");
  }
  std::string position(std::uint64_t offset) const {
    return std::to_string(stream_->topic()->first_epoch) + "-" + std::to_string(offset);
  }

  std::unique_ptr<streams::World> world_;
  std::shared_ptr<streams::Stream> stream_;
  session::SessionSettings endpoint_settings_;
  std::vector<streams::TestPermit*> permits_;
  std::unique_ptr<server::Router> router_;
};

}  // namespace fanfare::streamserver
