#pragma once
// The implementation of a public Session: the engine's session, and its topics. Used on the loop's thread
// only.
//
//   handle.behind_ -> engine                                     most sessions of a plain server
//   handle.behind_ -> rare -> engine, data, topics, subprotocol  a session that has one of these

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/hub_subscription.h"
#include "api/subscription.h"
#include "base/block_pool.h"
#include "base/check.h"
#include "fanfare/server.h"
#include "session/session.h"

namespace fanfare::api {

class LoopContext;

class Connection final : public session::SessionData {
 public:
  // `with_data` is the session passed to the handlers; null: a session without data. The engine's session is
  // known from on_opening() on.
  explicit Connection(std::unique_ptr<Session> with_data);
  ~Connection() override;
  static void* operator new(std::size_t, BlockPool& room) { return room.take(); }
  static void operator delete(void* connection) { BlockPool::give_back(connection); }
  static void operator delete(void* connection, BlockPool&) { BlockPool::give_back(connection); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  static Connection& of(const Session& handle) { return of(engine_of(handle)); }
  static Connection& of(const session::Session& engine) { return engine.data<Connection>(); }
  static session::Session& engine_of(const Session& handle);

  Session& handle() {
    const Rare* const rare = find_rare();
    return rare == nullptr || rare->with_data == nullptr ? handle_ : *rare->with_data;
  }
  static LoopContext& loop_context();
  std::string_view subprotocol() const {
    const Rare* const rare = find_rare();
    return rare == nullptr || rare->subprotocol == nullptr ? "" : std::string_view(*rare->subprotocol);
  }

  // Returns false if the session is closing, or has the maximum number of topics.
  bool subscribe(std::string_view topic, TopicPolicy policy);
  bool unsubscribe(std::string_view topic);
  void unsubscribe_all();
  // Returns null if the session is not subscribed to the topic.
  Subscription* find_subscription(const LoopContext::NamedTopic& topic) const {
    const Rare* const rare = find_rare();
    return rare == nullptr ? nullptr : rare->find(&topic);
  }
  Expected<Joined, JoinError> join(const std::shared_ptr<pubsub::Topic>& topic, const JoinOptions& options);
  bool leave(const pubsub::Topic& topic);
  // Ends the subscription to a removed topic.
  void end_topic(const pubsub::Topic& topic);
  void end_topic_when_sent() { ++rare().more().ended_topics; }

  // Called when the outbox is empty: sends waiting messages and reports of dropped ones. Calls the drain
  // handler, at the latest when the outbox is empty the next time.
  void on_drained(const WebSocketRoute& route);
  // Calls send_waiting() in a later turn, because messages wait although the outbox has room.
  void send_waiting_later();

 private:
  class SessionWithoutData final : public Session {};
  // Members that few connections with topics need.
  struct Crowd {
    WaitingSubscriptions waiting;  // must outlive the subscriptions
    std::unordered_map<const LoopContext::NamedTopic*, std::unique_ptr<Subscription>> topics;
    std::unordered_map<const pubsub::Topic*, std::unique_ptr<HubSubscription>> hub_topics;
    std::size_t ended_topics = 0;  // removed, but still sending waiting messages
    bool sends_later = false;
  };
  // Members that most connections of a plain server do not need.
  struct Rare {
    explicit Rare(session::Session* its_engine) : engine(its_engine) {}
    ~Rare() { unsubscribe_all(); }
    Rare(const Rare&) = delete;
    Rare& operator=(const Rare&) = delete;

    Subscription* find(const LoopContext::NamedTopic* topic) const;
    std::size_t topic_count() const;
    void add(std::unique_ptr<Subscription> subscription);
    bool remove(const LoopContext::NamedTopic* topic);
    void unsubscribe_all();
    Crowd& more();

    session::Session* engine;  // null before on_opening()
    std::unique_ptr<Session> with_data;
    std::unique_ptr<const std::string> subprotocol;
    std::unique_ptr<Crowd> crowd;
    // Up to kFewTopics are in this list. Beyond that, all of them are in the crowd's map.
    std::unique_ptr<Subscription> first;
  };
  static constexpr std::size_t kFewTopics = 8;

  void on_opening(session::Session& engine, std::string_view subprotocol) override;
  // Returns true if no message waits any more, and the session is open.
  bool send_waiting();
  void end_sent_topics(Crowd& crowd);
  session::Session& engine() { return engine_of(handle_); }
  static Rare* find_rare(const Session& handle) {
    return (handle.behind_ & kRareBit) == 0 ? nullptr : reinterpret_cast<Rare*>(handle.behind_ ^ kRareBit);
  }
  Rare* find_rare() const { return find_rare(handle_); }
  Rare& rare();

  // Both are aligned, so the lowest bit of the pointer says which one it points to.
  static constexpr std::uintptr_t kRareBit = 1;

  SessionWithoutData handle_;  // its behind_ belongs to this object, even if handlers see `with_data`
};

inline session::Session& Connection::engine_of(const Session& handle) {
  FANFARE_CHECK(handle.behind_ != 0);
  // Test the bit, not find_rare(): for g++ 12 at -O3, its null case includes an engine at address 1.
  if ((handle.behind_ & kRareBit) == 0) return *reinterpret_cast<session::Session*>(handle.behind_);
  return *reinterpret_cast<const Rare*>(handle.behind_ ^ kRareBit)->engine;
}

static_assert(sizeof(Connection) <= 24, "beside the engine's session, what an idle one costs");

}  // namespace fanfare::api
