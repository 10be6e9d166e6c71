#pragma once
// Ethereum subscriptions of an instance: the follower of its node on the worker's thread, a subscription manager on each loop,
// and mailboxes between the two, as in gateway/loop_sites.h.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "eth/subscription_manager.h"
#include "fleet_session.h"
#include "fleet_time.h"
#include "gateway/chain_follower.h"
#include "gateway/faulty_node_for_tests.h"
#include "pubsub/topic_table.h"
#include "upstream/executor.h"

namespace fanfare::fleet {

class ChainSide;

// On one loop.
class ChainLoop {
 public:
  ChainLoop(ChainSide& side, std::size_t index, Thread& thread);

  // A batch of events from the worker.
  void take(const std::vector<eth::SourceEvent>& events);
  void replay(const eth::SubscriptionManager::Missing& missing, const eth::HistoryBatchPtr& batch);
  void ask(eth::SubscriptionManager::Missing missing);
  void interest_changed();
  eth::SubscriptionManager& manager() { return manager_; }
  Thread& thread() { return thread_; }

  std::function<void(eth::ConnectionKey)> close;

 private:
  void take_aftermath();

  ChainSide& side_;
  const std::size_t index_;
  Thread& thread_;
  pubsub::TopicTable topics_;
  eth::SubscriptionManager manager_;
};

// On the worker's thread.
class ChainSide {
 public:
  ChainSide(gateway::simulated::World& chain, upstream::Executor& worker, Random& random);

  // Posted to the worker. The loops are known by then.
  void start(std::vector<ChainLoop*> loops);
  void set_interest(std::size_t loop, const eth::Interest& interest);
  void resume(ChainLoop& loop, eth::SubscriptionManager::Missing missing);
  // The world's head reaches this instance's node.
  void see_head();
  void set_faults(std::uint32_t per_mille);
  const eth::ChainSource& source() const { return follower_->source(); }

 private:
  gateway::simulated::World& chain_;
  upstream::Executor& worker_;
  gateway::simulated::FaultyNode node_;
  std::vector<ChainLoop*> loops_;
  std::unique_ptr<gateway::ChainFollower> follower_;
};

// A client's one subscription, with cursors.
class ChainSession final : public Session, private pubsub::Subscriber {
 public:
  ChainSession(std::shared_ptr<Wire> wire, ChainLoop& loop, std::string params)
      : Session(std::move(wire)), loop_(loop), params_(std::move(params)) {}
  ~ChainSession() override;
  void begin() override;
  void drained() override;

 private:
  bool deliver(const SharedBytes& frame) override;
  bool is_congested() const override { return wire().is_congested(); }

  ChainLoop& loop_;
  const std::string params_;
  bool has_skipped_ = false;  // Planted::cursor_skips
};

}  // namespace fanfare::fleet
