#pragma once
// One loop's part of a server: its topics, and its index among the loops. Created, used and destroyed on the
// loop's thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "api/handler_thread.h"
#include "api/session_timers.h"
#include "base/block_pool.h"
#include "base/shared_bytes.h"
#include "pubsub/event_log.h"
#include "pubsub/loop_hub.h"
#include "pubsub/topic_table.h"
#include "server/loop_context.h"
#include "session/loop_server.h"

namespace fanfare::api {

class ServerImpl;
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): final, which a declaration cannot say
class Subscription;

class LoopContext final : public pubsub::LoopPort {
 public:
  LoopContext(ServerImpl& impl, session::LoopServer& server, std::uint32_t index);
  ~LoopContext();
  LoopContext(const LoopContext&) = delete;
  LoopContext& operator=(const LoopContext&) = delete;

  // The lane whose thread this is, or null.
  static LoopContext* current();

  // A topic with subscribers on this loop. Its key is a number, so that two names cannot collide.
  struct Topic {
    pubsub::TopicKey key;
    std::uint32_t subscribers = 0;
    std::unique_ptr<pubsub::EventLog> log = {};  // created once a subscriber may fall behind
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
  static pubsub::EventLog& log_of(NamedTopic& topic);

  // This loop's part of the server's hub; null: no hub.
  pubsub::LoopHub* hub() const { return hub_.get(); }

  ServerImpl& impl() const { return impl_; }
  session::LoopServer& server() const { return server_; }
  std::uint32_t index() const { return index_; }
  BlockPool& subscriptions() { return subscriptions_; }  // their memory
  SessionTimers& timers() { return timers_; }
  // The timers and states that do not depend on the public API.
  server::LoopContext& shared() { return shared_; }

 private:
  Subscription* find_subscription(SessionId id, const NamedTopic& topic) const;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  Instant now() override { return server_.loop().now(); }
  void call_after(Duration delay, UniqueFunction<void()> task) override {
    server_.loop().call_after(delay, std::move(task));
  }

  const HandlerThread handler_thread_;
  ServerImpl& impl_;
  session::LoopServer& server_;
  const std::uint32_t index_;
  std::uint64_t next_key_ = 1;
  BlockPool subscriptions_;
  std::unordered_map<std::string, Topic, Hash, std::equal_to<>> topics_;
  pubsub::TopicTable table_;
  SessionTimers timers_;
  server::LoopContext shared_;
  std::unique_ptr<pubsub::LoopHub> hub_;
};

}  // namespace fanfare::api
