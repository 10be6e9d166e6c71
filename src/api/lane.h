#pragma once
// One loop's part of a server: its topics, and its index among the loops. Created, used and destroyed on the
// loop's thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "api/handler_thread.h"
#include "api/session_timers.h"
#include "base/block_pool.h"
#include "base/shared_bytes.h"
#include "pubsub/topic_table.h"
#include "session/loop_server.h"

namespace fanfare::api {

class Core;

class Lane {
 public:
  Lane(Core& core, session::LoopServer& server, std::uint32_t index);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // The lane whose thread this is, or null.
  static Lane* current();

  // A topic with subscribers on this loop. Its key is a number, so that two names cannot collide.
  struct Topic {
    pubsub::TopicKey key;
    std::uint32_t subscribers = 0;
  };
  using NamedTopic = std::pair<const std::string, Topic>;

  // Returns null if the topic has no subscriber on this loop.
  NamedTopic* find(std::string_view topic);
  // Adds a subscriber. The topic keeps its address until as many subscribers have left it.
  NamedTopic& enter(std::string_view topic);
  pubsub::Ticket subscribe_to(const NamedTopic& topic, pubsub::Subscriber& subscriber);
  void leave(NamedTopic& topic, pubsub::Ticket ticket);
  // Sends the frame to all subscribers except that session.
  void publish(std::string_view topic, const SharedBytes& frame, SessionId except);

  Core& core() const { return core_; }
  session::LoopServer& server() const { return server_; }
  std::uint32_t index() const { return index_; }
  BlockPool& subscriptions() { return subscriptions_; }  // their memory
  SessionTimers& timers() { return timers_; }

 private:
  const pubsub::Subscriber* find_subscriber(SessionId id, const NamedTopic& topic) const;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  const HandlerThread handler_thread_;
  Core& core_;
  session::LoopServer& server_;
  const std::uint32_t index_;
  std::uint64_t next_key_ = 1;
  BlockPool subscriptions_;
  std::unordered_map<std::string, Topic, Hash, std::equal_to<>> topics_;
  pubsub::TopicTable table_;
  SessionTimers timers_;
};

}  // namespace fanfare::api
