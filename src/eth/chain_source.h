#pragma once
// Everything that feeds a network's subscriptions, behind one interface: the head poller, the chain view,
// pending transactions and the sync state. Runs on the thread that talks to the node; its events go to the
// loops.
//
//   start / on_timer / on_reply / set_interest / resume   ->   take_events, take_history, take_calls,
//                                                              next_timer
//
// No I/O. One thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eth/chain_view.h"
#include "eth/feeds/feed.h"
#include "eth/feeds/syncing.h"
#include "eth/head_hints.h"
#include "eth/head_poller.h"
#include "eth/history.h"
#include "eth/interest.h"
#include "eth/pending_source.h"
#include "eth/source_event.h"
#include "jsonrpc/upstream_call.h"

namespace fanfare::eth {

struct ChainSourceOptions {
  HeadPollerOptions heads;
  ChainViewOptions chain;  // its window_blocks is taken from `heads`
  PendingSourceOptions pending;
  SyncingSourceOptions syncing;
  HistoryOptions history;
  // From the first head on, logs are requested for so long although nobody needs them: a process that replaces another one has
  // soon clients that were there until then, and answers them from memory.
  Duration logs_warm_up{};
};

class ChainSource {
 public:
  // `random` must outlive the source.
  ChainSource(const ChainSourceOptions& options, Random& random);
  ChainSource(const ChainSource&) = delete;
  ChainSource& operator=(const ChainSource&) = delete;

  void start(Instant now);
  void on_timer(Instant now);
  // False: the call is not, or no longer, one of this source.
  bool on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now);
  // Sets what the subscriptions of one loop need from now on. Loops are counted from 0.
  void set_interest(std::size_t loop_index, const Interest& interest, Instant now);
  // Something hints at a new head: polls at once.
  void poll_now(Instant now);
  // Whether a node pushes heads (its eth_subscribe). Pushed heads are hints: every announced block is fetched
  // first.
  void set_heads_pushed(bool pushed, Instant now);
  // Hints of sources that may be wrong (head_hints.h).
  void set_hints_live(HeadHints::Source source, bool live, Instant now);
  void saw_hint(HeadHints::Source source, HeadHints::Source preferred, const Header& header, Instant now);
  std::optional<HeadHints::Source> take_useless_hints() { return hints_.take_useless(); }
  std::optional<HeadHints::Use> take_hints_use() { return hints_.take_use(); }
  void set_pending_pushed(bool pushed, Instant now) { pending_.set_pushed(pushed, now); }
  void saw_pending(std::string_view hash, Instant now) { pending_.saw_pushed(hash, now); }
  // Waits until everything that is new to a type's subscribers will be reported, as long as the interest asks
  // for it. take_listening() returns the result, under the returned id. Only for types whose row has
  // `not_listening` (feeds/feed.h).
  std::uint64_t await_listening(SubscriptionType type, Instant now);
  // The node polled for its head seems stuck: polls again, without waiting for its answer.
  void restart_polling(Instant now);

  // Starts to collect what a subscriber has missed since `from`. take_history() returns it, under the
  // returned id.
  std::uint64_t resume(const Position& from, const HistoryNeeds& needs, Instant now);

  // Call these after each of the functions above, in this order: the later results build on the earlier
  // events. Calls taken together may be sent as one batch.
  std::vector<SourceEvent> take_events();
  std::vector<Listening> take_listening();
  std::vector<History::Answer> take_history();
  std::vector<jsonrpc::UpstreamCall> take_calls();
  // When to call on_timer.
  std::optional<Instant> next_timer() const;

  const HeadPoller::Status& head_status() const { return heads_.status(); }
  const ChainView::Status& chain_status() const { return chain_.status(); }
  const PendingSource::Status& pending_status() const { return pending_.status(); }
  History::Status history_status() const { return history_.status(); }
  const HeaderPtr& tip() const { return heads_.tip(); }
  bool shows(std::uint64_t number, const Hash256& hash) const;
  std::optional<Duration> block_time() const { return heads_.block_time(); }

 private:
  void follow_hints(Instant now);
  void move_heads_to_chain(Instant now);
  bool needs_logs() const;
  void end_warm_up(Instant now);
  void take_feed_events(std::vector<SourceEvent>& events);
  FeedSource& feed_source(SubscriptionType type) const { return *feeds_[static_cast<std::size_t>(type)]; }

  jsonrpc::CallIds call_ids_;
  HeadPoller heads_;
  HeadHints hints_{heads_};
  bool heads_pushed_ = false;
  ChainView chain_;
  PendingSource pending_;
  History history_;
  std::array<std::unique_ptr<FeedSource>, kSubscriptionTypes> feeds_;  // null: the type needs none
  std::vector<Interest> interests_;                                    // by loop
  const Duration logs_warm_up_;
  bool is_warming_up_;
  std::optional<Instant> warm_until_;  // empty: no head has come yet, or it is over
  Instant now_{};                      // of the last call into the source
};

}  // namespace fanfare::eth
