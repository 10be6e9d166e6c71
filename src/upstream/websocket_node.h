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

#include "upstream/backend.h"
#include "upstream/executor.h"
#include "upstream/websocket_options.h"

namespace fanfare::upstream {

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
    // The node has rejected the subscription.
    std::function<void(NodeTopic, std::string_view why)> refused = {};
    // The connection has ended, or an attempt to open one has failed; another one will follow. The texts are without
    // secrets, for people.
    std::function<void(std::string_view why, bool unreachable)> lost = {};
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
