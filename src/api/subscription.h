#pragma once
// One topic that one public session listens to, and what of it waits for a session that reads too slowly. In
// the list of its connection's; it lies in a slot of its lane's pool. One thread, the loop's.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/lane.h"
#include "base/block_pool.h"
#include "fanfare/session.h"
#include "pubsub/backlog.h"
#include "session/server_session.h"

namespace fanfare::api {

class Subscription final : public pubsub::Subscriber {
 public:
  static std::unique_ptr<Subscription> make(Lane& lane, session::ServerSession& engine,
                                            std::string_view topic, TopicPolicy policy);
  // Not virtual: nobody owns it as anything else.
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  static void* operator new(std::size_t, BlockPool& room) { return room.take(); }
  static void operator delete(void* subscription) { BlockPool::give_back(subscription); }
  static void operator delete(void* subscription, BlockPool&) { BlockPool::give_back(subscription); }

  void set_policy(TopicPolicy policy);
  bool deliver(const SharedBytes& frame) override;
  std::optional<pubsub::Backlog::Next> take();
  const std::string& topic() const { return topic_.first; }

  std::unique_ptr<Subscription> next;

 private:
  Subscription(session::ServerSession& engine, Lane::NamedTopic& topic);

  session::ServerSession& engine_;
  Lane::NamedTopic& topic_;
  pubsub::Ticket ticket_;
  std::unique_ptr<pubsub::Backlog> backlog_;  // null: WhenFull::close
};

static_assert(sizeof(Subscription) <= 48,
              "this, times the connections, is what a topic that all listen to costs");

}  // namespace fanfare::api
