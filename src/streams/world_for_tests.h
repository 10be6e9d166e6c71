#pragma once
// Streams with two loops, clients without sockets, and a node that answers when the test says so.

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pubsub/hub_world_for_tests.h"
#include "streams/catalog.h"
#include "streams/client.h"
#include "streams/poller.h"
#include "ws/connection.h"

namespace fanfare::streams {

// The payload of a server's unmasked, uncompressed text frame.
inline std::string payload_of(const SharedBytes& frame) {
  const Bytes bytes = frame.view();
  EXPECT_EQ(bytes[0], 0x81);
  const std::size_t header = bytes[1] < 126 ? 2 : bytes[1] == 126 ? 4 : 10;
  return std::string(as_text(bytes.subspan(header)));
}

struct World {
  explicit World(const Limits& limits = {}, pubsub::Relay* relay = nullptr)
      : loops(2, HubOptions{}, 7, relay), catalog(loops.hub, limits) {
    for (std::size_t i = 0; i < loops.count(); ++i) {
      shared.push_back(std::make_unique<LoopStreams>(
          LoopStreams{.catalog = catalog, .hub = loops.at(i), .clock = loops.clock}));
    }
  }
  std::shared_ptr<Stream> add(const std::string& name, StreamOptions options = {}) {
    options.name = name;
    auto added = catalog.add(options);
    EXPECT_TRUE(added.has_value()) << added.error();
    return *added;
  }
  // The seconds of the world's wall clock.
  std::int64_t seconds() {
    return std::chrono::duration_cast<std::chrono::seconds>(loops.clock.wall_now().time_since_epoch())
        .count();
  }
  void publish(Stream& stream, std::string_view json) {
    EXPECT_EQ(stream.publish(*parse_json(json), seconds()), Stream::Published::yes) << json;
    loops.run_all();
  }

  pubsub::ManualLoops loops;
  Catalog catalog;
  std::vector<std::unique_ptr<LoopStreams>> shared;
};

// A connection whose outbox takes `room` messages and is congested from there on.
class TestClient final : public ClientPort {
 public:
  explicit TestClient(World& world, std::size_t loop = 0, Transport transport = Transport::websocket,
                      Permit* permit = nullptr)
      : client(*world.shared[loop], *this, transport, permit), transport_(transport) {}

  // What came since the last call, one message a line, after everything that is due was sent.
  std::string take() {
    while (std::exchange(later_, false)) client.send_waiting();
    return std::exchange(got_, {});
  }
  std::string say(std::string_view message) {
    client.receive(true, message);
    return take();
  }
  // The client has read everything.
  std::string read() {
    used_ = 0;
    client.send_waiting();
    return take();
  }

  bool is_open() const override { return open; }
  bool is_congested() const override { return used_ >= room; }
  void send(std::string_view json) override { got_ += std::string(json) + "\n"; }
  bool send_shared(const SharedBytes& bytes) override {
    ++used_;
    frames.push_back(bytes);
    got_ +=
        transport_ == Transport::websocket ? payload_of(bytes) + "\n" : std::string(as_text(bytes.view()));
    return open;
  }
  bool has_room_behind(std::size_t bytes) override {
    if (bytes < room_behind) return true;
    open = false;
    return false;
  }
  void send_waiting_later() override { later_ = true; }
  void close(std::uint16_t code, std::string_view reason) override {
    open = false;
    got_ += "close " + std::to_string(code) + " " + std::string(reason) + "\n";
  }

  bool open = true;
  std::size_t room = SIZE_MAX;
  std::size_t room_behind = SIZE_MAX;
  std::vector<SharedBytes> frames;
  Client client;  // the last: it leaves before the rest goes

 private:
  const Transport transport_;
  std::string got_;
  std::size_t used_ = 0;
  bool later_ = false;
};

class TestNode final : public Node {
 public:
  struct Call {
    std::string method;
    std::string params;
    Done done;
  };
  void call(const CallSpec& call, Done done) override {
    calls.push_back({.method = call.method, .params = call.params, .done = std::move(done)});
    ++total;
  }
  // Answers the oldest call.
  void answer(std::string result) { finish(std::move(result)); }
  void fail(std::string reason) { finish(std::unexpected(std::move(reason))); }

  std::deque<Call> calls;
  int total = 0;

 private:
  void finish(Result result) {
    ASSERT_FALSE(calls.empty());
    Call call = std::move(calls.front());
    calls.pop_front();
    call.done(std::move(result));
  }
};

}  // namespace fanfare::streams
