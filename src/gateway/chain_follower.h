#pragma once
// Connects a chain's source to the pool of nodes: sends the source's calls to the pool, passes the answers
// back, runs its timers, and detects a head that stands still while some node has a newer one.
//
//   no new head for 1.5 block times       ->  every node is asked for its head; nodes that are behind come
//   (at least stall_min)                      last from here on, and the head is requested again
//   a node other than the head's source   ->  its head is not accepted, unless no node has the newer block
//   reports fewer blocks                      any more, or such reports go on for stall_max
//   an answer is unusable, and another    ->  the first node is distrusted for a while
//   node's to the same call is usable
//
// A block that does not follow the announced ones may be of another chain altogether. It is accepted only
// after the node that sent it was checked once more (Pool::verify).
//
// Lives on the executor's thread. It opens no socket itself, so a simulation runs it unchanged.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "eth/chain_source.h"
#include "fanfare/unique_function.h"
#include "upstream/backend.h"
#include "upstream/executor.h"
#include "upstream/pool.h"

namespace fanfare::gateway {

struct StallLimits {
  Duration stall_min = std::chrono::seconds(1);
  Duration stall_max = std::chrono::seconds(30);
  Duration stall_initial = std::chrono::seconds(5);  // until a block time is known
};

class ChainFollower {
 public:
  struct Callbacks {
    // The events since the last call, in order.
    std::function<void(std::vector<eth::SourceEvent>)> events;
    // Called after each turn, with or without events; may be empty.
    std::function<void()> turn;
    // The chain's head is `number`, below the last announced one; the fork point is not known yet. May be
    // empty.
    std::function<void(std::uint64_t number)> shorter = {};
    // The node's hints were polled for in vain, again and again. May be empty.
    std::function<void(std::size_t member)> hints_useless = {};
    // Whether the node announces blocks before polls find them (eth/head_hints.h) has changed. May be empty.
    std::function<void(std::size_t member, bool of_use)> hints_use_changed = {};
  };
  struct Nodes {
    upstream::Backend& backend;
    upstream::Pool* pool = nullptr;  // the backend, when it is a pool
  };

  // Everything referred to must outlive the follower, except calls in flight: they may end later, with
  // FailureKind::shutdown, and access nothing.
  ChainFollower(upstream::Executor& executor, Nodes nodes, const eth::ChainSourceOptions& options,
                Random& random, Callbacks callbacks, StallLimits stall = {});
  ~ChainFollower();
  ChainFollower(const ChainFollower&) = delete;
  ChainFollower& operator=(const ChainFollower&) = delete;

  void start();
  // Sets what the subscriptions of one loop need.
  void set_interest(std::size_t loop_index, const eth::Interest& interest);

  // Collects what a subscriber has missed since `from`. `done` runs once, after all events reported before
  // it; it is destroyed unrun with the follower.
  using HistoryDone = UniqueFunction<void(eth::HistoryBatchPtr)>;
  void resume(const eth::Position& from, const eth::HistoryNeeds& needs, HistoryDone done);

  // As ChainSource::await_listening(). `done` runs once, after all events reported before it, with the reason
  // why that is impossible, or empty. It is destroyed unrun with the follower.
  using ListenDone = UniqueFunction<void(const std::string& refusal)>;
  void await_listening(eth::SubscriptionType type, ListenDone done);

  // Notifications pushed by node `member` of the pool. Its heads are hints: the head is then polled at once.
  // While hints come, polls are only frequent enough to detect that hints have stopped.
  void hint(std::size_t member, std::string_view header_json);
  void hints_lost();
  // Node `member`, which is called over HTTP, says beside it that this is its head. It may be wrong (eth/head_hints.h).
  void side_hint(std::size_t member, std::string_view header_json);
  void side_hints_changed(std::size_t member, bool live);
  // The chain has changed: polls its head at once.
  void look_now();
  void set_pending_pushed(bool pushed);
  void saw_pending(std::string_view hash);

  const eth::ChainSource& source() const { return source_; }

 private:
  void pump();
  void answer_listeners();
  void call(const jsonrpc::UpstreamCall& call, std::uint64_t head_min = 0);
  void take(const jsonrpc::UpstreamCall& call, const upstream::Result& result);
  void take_believed(const jsonrpc::UpstreamCall& call, const upstream::Result& result);
  bool needs_proof(const jsonrpc::UpstreamCall& call, const upstream::Result& result) const;
  bool learn_head(const jsonrpc::UpstreamCall& call, const upstream::Result& result,
                  const jsonrpc::CallResult& answer);
  bool asks_others(const jsonrpc::UpstreamCall& call, const upstream::Result& result) const;
  bool is_believed(const upstream::Reply& reply, std::uint64_t head);
  void set_hinted(bool hinted);
  void judge(const jsonrpc::UpstreamCall& call, std::size_t member, bool of_use);
  void arm_timer();
  void watch_head();
  void arm_stall();
  void head_is_late();

  upstream::Executor& executor_;
  Nodes nodes_;
  Callbacks callbacks_;
  StallLimits stall_;
  eth::ChainSource source_;
  std::unordered_map<std::uint64_t, HistoryDone> resuming_;
  std::unordered_map<std::uint64_t, ListenDone> listeners_;
  std::optional<std::size_t> filter_member_;  // the node that has the source's filter
  bool started_ = false;
  upstream::TimerId timer_;
  upstream::TimerId stall_timer_;
  std::size_t head_member_ = 0;           // the member whose head was accepted last
  bool hinted_ = false;                   // hints come, and in time
  std::uint64_t hinted_number_ = 0;       // the highest head in a hint
  std::optional<Instant> doubted_since_;  // since then a node with fewer blocks has not been trusted
  eth::HeaderPtr stall_tip_;              // the head when the stall timer was set
  Duration stall_wait_{};
  // The members with unusable answers, by call, until another node has answered it.
  std::map<std::string, std::set<std::size_t>> suspects_;
  // Checks of a node's chain may end after this object is destroyed.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fanfare::gateway
