#pragma once
// One network of the gateway: its node or pool of nodes, and the source that follows the chain. Lives on the
// worker's thread; values that other threads may read are atomic.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/byte_budget.h"
#include "base/log_limiter.h"
#include "base/random.h"
#include "eth/filter_budget.h"
#include "eth/resume_store.h"
#include "gateway/chain_follower.h"
#include "gateway/filter_calls.h"
#include "gateway/metrics.h"
#include "gateway/push_sources.h"
#include "gateway/ready_waiters.h"
#include "gateway/serve_plan.h"
#include "gateway/shared_reads.h"
#include "upstream/backend.h"
#include "upstream/pool.h"
#include "upstream/worker.h"

namespace fanfare::gateway {

class SharedSessions;

class Network {
 public:
  // The events since the last time, in order; immutable from here on, so that all loops may share them.
  using Events = std::shared_ptr<const std::vector<eth::SourceEvent>>;
  // On the worker's thread.
  using Publish = std::function<void(const Events&)>;
  struct Readiness {
    bool ready = false;
    std::string reason;  // one line, for /readyz; when ready: the problem of some node, or empty
  };

  // Any thread; nothing happens before start(). Everything referred to must outlive the network.
  Network(const NetworkPlan& plan, upstream::Worker& worker, NetworkMetrics& metrics,
          upstream::Observer* observer, Publish publish);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  // The worker must have stopped.
  ~Network();

  // Worker thread. prepare() makes the backend, before any call can reach it; start() begins to follow.
  void prepare();
  void start();
  // Both after start(), for a network whose backend are nodes. Who follows the chain and what clients were shown stay as they
  // are; calls in flight end at the nodes that have them.
  // Takes the nodes, the chain checks and hedging of `plan` in place of the present ones. The observer must outlive the network.
  void use_nodes(const NetworkPlan& plan, upstream::Observer* observer);
  // The network was removed from the configuration: it has no nodes until use_nodes(), and nothing is cached.
  void leave_nodes();
  upstream::Backend& backend() { return *backend_; }
  // Null: its backend is no pool of nodes.
  upstream::Pool* pool() { return pool_; }
  // Whether member `index` of the pool announces its blocks beside HTTP: HintConnection::description(). Empty: it is not
  // asked. On the worker's thread.
  std::string hints_of(std::size_t index) const;
  SharedReads& reads() { return *reads_; }
  // Log lines that its nodes and clients can cause. Any thread.
  LogLimiters& log() { return log_; }
  // Sets what the subscriptions of one loop need; posted by the loop to the worker's mailbox.
  void set_interest(std::size_t loop_index, const eth::Interest& interest);
  // Collects what a subscriber has missed since `from`. `done` runs once, on the worker's thread, after
  // everything published before; it is destroyed unrun with the network.
  using HistoryDone = ChainFollower::HistoryDone;
  void resume(const eth::Position& from, const eth::HistoryNeeds& needs, HistoryDone done);
  // The limit for the filters of subscriptions, on all loops. Any thread.
  eth::FilterBudget& filter_budget() { return filter_budget_; }
  // The filters of clients.
  FilterCalls& filters() { return *filters_; }
  // The sessions of clients. Any thread.
  eth::ResumeStore& sessions() { return *sessions_; }
  const std::shared_ptr<eth::MemoryResumeStore>& session_store() const { return sessions_; }
  // Null: they do not leave this process.
  SharedSessions* shared_sessions() const { return shared_sessions_; }
  // Before the first session. `shared` outlives the network.
  void share_sessions(SharedSessions& shared);
  // Any thread.
  void limit_sessions(const eth::ResumeLimits& limits) { sessions_->set_limits(limits); }
  // Runs `done` once the chain is followed (true), or after a while (false). `done` is destroyed unrun with
  // the network.
  void await_following(ReadyWaiters::Done done) { followed_.wait(std::move(done)); }
  // For a subscriber of a type that is answered once its source listens (eth/feeds/feed.h). `done` is destroyed
  // unrun with the network.
  void await_listening(eth::SubscriptionType type, ChainFollower::ListenDone done) {
    follower_->await_listening(type, std::move(done));
  }

  // Any thread.
  const std::string& name() const { return name_; }  // "main/1"
  const NetworkPlan& plan() const { return plan_; }
  std::uint64_t head_number() const { return head_number_.load(std::memory_order_relaxed); }
  Readiness readiness() const;
  bool is_ready() const { return is_ready_.load(std::memory_order_relaxed); }

  // Reserves one of this network's connections, counted over all loops. False: the limit is reached.
  bool reserve_connection();
  void release_connection() { connections_.fetch_sub(1, std::memory_order_relaxed); }
  std::size_t connections() const { return connections_.load(std::memory_order_relaxed); }
  // The callback gets the node's chain id, on the worker's thread, if none is configured. Call before
  // prepare().
  void on_chain_id(std::function<void(std::uint64_t)> learnt) { learnt_chain_id_ = std::move(learnt); }
  void set_connections_max(std::size_t most) { connections_max_.store(most, std::memory_order_relaxed); }
  // Data received from the nodes of its project counts here until it is processed. Call before prepare(); the
  // budget must outlive the network.
  void count_received(ByteBudget& budget) { received_ = &budget; }

 private:
  void make_backend();
  void make_pool(const UpstreamBackend& upstreams);
  // Their nodes push to this network until the next call.
  std::vector<std::unique_ptr<upstream::Backend>> make_members(const UpstreamBackend& upstreams,
                                                               upstream::Observer* observer,
                                                               std::size_t first_member);
  void hints_use_changed(std::size_t member, bool of_use);
  upstream::PoolOptions options_of(const NetworkPlan& plan);
  void learn_chain_id(std::uint64_t chain_id);
  void chains_changed();
  std::string unused_nodes() const;
  void follow();
  void set_source_interest(std::size_t source_index, const eth::Interest& interest);
  void publish(std::vector<eth::SourceEvent> events);
  void note(const eth::SourceEvent& event);
  void note_reorg(const eth::Reorg& reorg);
  void learn_head(const eth::Header& header);
  // `reason` is public, `detail` is for the log: text of a node or a library.
  void set_readiness(bool ready, std::string reason, std::string_view detail = {});
  // Adds what the source has counted since the last time.
  void count_source();
  void update_readiness();

  const NetworkPlan& plan_;
  const std::string name_;
  upstream::Worker& worker_;
  NetworkMetrics& metrics_;
  upstream::Observer* observer_;
  Publish publish_;
  LogLimiters log_;
  ByteBudget* received_ = nullptr;
  std::function<void(std::uint64_t)> learnt_chain_id_;
  std::unique_ptr<upstream::Backend> backend_;
  std::unique_ptr<upstream::Backend> source_backend_;  // for the source's calls; null: the same backend
  upstream::Pool* pool_ = nullptr;                     // the backend, if it is a pool
  PushSources push_sources_;                           // members of the pool
  std::unique_ptr<SharedReads> reads_;                 // from prepare() on
  SystemRandom random_;
  std::unique_ptr<ChainFollower> follower_;  // from start() on
  std::unique_ptr<FilterCalls> filters_;     // from prepare() on
  ReadyWaiters followed_;
  bool following_ = false;
  std::vector<bool> pending_wanted_;   // by loop
  std::uint64_t history_fetches_ = 0;  // already counted
  std::uint64_t backfilled_ = 0;       // already counted
  std::uint64_t bodies_lost_ = 0;      // already counted

  eth::FilterBudget filter_budget_;
  std::shared_ptr<eth::MemoryResumeStore> sessions_;
  SharedSessions* shared_sessions_ = nullptr;
  std::atomic<bool> is_ready_ = false;
  std::atomic<std::uint64_t> head_number_ = 0;
  std::atomic<std::size_t> connections_ = 0;
  std::atomic<std::size_t> connections_max_ = SIZE_MAX;
  mutable std::mutex readiness_mutex_;  // guards readiness_
  Readiness readiness_{.ready = false, .reason = "starting"};
};

}  // namespace fanfare::gateway
