#pragma once
// Listens to the nodes of a network that push events over WebSocket, and to those behind HTTP that hint at their heads, and passes on what they
// say. The nodes may be replaced. On the worker's thread.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "upstream/executor.h"
#include "upstream/hint_connection.h"
#include "upstream/websocket_node.h"

namespace fanfare::gateway {

class PushSources {
 public:
  struct Callbacks {
    std::function<void(std::size_t member, std::string_view header)> head;
    std::function<void(std::string_view hash)> pending;
    // A node behind HTTP says that this is its head; and whether it may say so from here on.
    std::function<void(std::size_t member, std::string_view header)> hint;
    std::function<void(std::size_t member, bool live)> hints_changed;
    // No node pushes heads any more.
    std::function<void()> heads_lost;
    // Whether some node pushes pending transactions.
    std::function<void(bool)> pending_pushed;
    std::function<void()> flooding_changed;
    // Whether a member of the pool may be believed: what others push is ignored.
    std::function<bool(std::size_t member)> is_trusted;
  };

  PushSources(upstream::Executor& worker, Callbacks callbacks)
      : worker_(worker), callbacks_(std::move(callbacks)) {}

  // A member of the pool; the node must live until replace(), and may live longer.
  void add(upstream::WebSocketNode& node, std::size_t member) {
    sources_.push_back({.node = &node, .member = member});
  }
  // Looks for a WebSocket beside the HTTP of this member, until replace().
  void add_hints(upstream::HintOptions options, std::size_t member);
  // Hints of this member have proved useless.
  void give_up_hints(std::size_t member);
  // Whether this member announces blocks before polls find them.
  void set_hints_of_use(std::size_t member, bool of_use);
  // HintConnection::description(). Empty: hints of this member are not wanted.
  std::string hints_of(std::size_t member) const;
  // Subscribes at all that were added.
  void listen();
  // None of the present nodes is listened to any more. Others may be added.
  void replace();
  // A chain has many pending transactions: nodes are subscribed to them only while there are subscribers.
  void want_pending(bool wanted);
  // Members are trusted now that were not before, or the other way round.
  void trust_changed();
  // "node is not used: reason", joined by "; ": those that send what nobody asked for.
  void append_unused(std::string& text) const;

 private:
  struct Source {
    upstream::WebSocketNode* node = nullptr;
    std::size_t member = 0;
    bool heads = false;  // whether it pushes heads
    bool pending = false;
  };

  void listen_to(std::size_t index);
  void changed(upstream::NodeTopic topic);

  upstream::Executor& worker_;
  const Callbacks callbacks_;
  std::vector<Source> sources_;
  std::map<std::size_t, std::unique_ptr<upstream::HintConnection>> hints_;  // by member
  std::uint64_t serial_ = 0;                                                // counts replace()
  bool heads_told_ = false;                                                 // some trusted node pushes heads
  bool pending_wanted_ = false;
};

}  // namespace fanfare::gateway
