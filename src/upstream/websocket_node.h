#pragma once
// A node behind WebSocket: calls of many callers over one connection, and the node's notifications.
//
//   call "id":5 --.                                     .--> done, "id":5
//   call "id":0 ---+-> "id":17, 18, 19 on the wire ----+---> done, "id":0
//   a batch ------'    (ids of our own: any two may      '--> done, one array
//                       have the same)
//
// A call on a lost connection fails at once, so that a pool tries another member; calls wait only for the
// first connection, and for an attempt that connect_now() begins. Calls in flight when it is lost have been sent, so only repeatable ones are retried.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_budget.h"
#include "base/time.h"
#include "net/loop.h"
#include "upstream/backend.h"
#include "upstream/executor.h"

namespace fanfare::upstream {

struct WebSocketOptions {
  std::string url;                                           // ws:// or wss://
  std::string name;                                          // empty: the redacted URL
  std::vector<std::pair<std::string, std::string>> headers;  // of the handshake
  // For one call; a caller's own timeout can only shorten it.
  Duration timeout = std::chrono::seconds(30);
  Duration connect_timeout = std::chrono::seconds(5);
  // Requests without an answer; beyond it a call ends at once with FailureKind::overloaded.
  std::size_t calls_max = 4096;
  std::size_t response_bytes_max = std::size_t{64} << 20;  // a longer message closes the connection
  Duration ping_interval = std::chrono::seconds(10);
  Duration pong_timeout = std::chrono::seconds(10);
  // The longest delay between attempts to connect.
  Duration reconnect_backoff_max = std::chrono::seconds(10);
  // How long a flooding node is not used (websocket_link.h).
  Duration flood_backoff_min = std::chrono::seconds(5);
  Duration flood_backoff_max = std::chrono::minutes(5);
  // Pays for received data until it is processed; null: not counted.
  std::shared_ptr<ByteShare> received = {};
  std::string ca_file;  // empty: the system's
  net::LoopKind loop_kind = net::LoopKind::automatic;
};

// The topics that a node pushes (eth_subscribe).
enum class NodeTopic : std::uint8_t { new_heads, pending_hashes };

class WebSocketNode final : public Backend {
 public:
  // On the executor's thread. `live`: the node has accepted the subscription; false: it was lost or rejected.
  struct Watcher {
    std::function<void(NodeTopic, bool live)> changed;
    std::function<void(NodeTopic, std::string_view result_json)> event;
    // flooding() has changed.
    std::function<void()> flooding_changed = {};
  };

  // The observer may be null. Begins to connect.
  WebSocketNode(Executor& executor, WebSocketOptions options, Observer* observer = nullptr);
  // Any thread.
  ~WebSocketNode() override;

  void call(std::string body, CallOptions options, Done done) override;
  std::optional<std::uint64_t> connection() const override;
  void on_reconnect(std::function<void()> reconnected) override;
  void connect_now() override;
  std::string_view name() const override;

  // All on the executor's thread. Before the first watch().
  void set_watcher(Watcher watcher);
  // Why the node is not used: it sends unrequested messages. Empty: it is used.
  std::string_view flooding() const;
  // Subscribes, now and after each reconnect, or unsubscribes.
  void watch(NodeTopic topic, bool wanted);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fanfare::upstream
