#pragma once
// newFinalizedHeads: every block that the node reports as `finalized`, in order, none left out.
//
//   a new head, or one and a half block times   ->  eth_getBlockByNumber("finalized"), at most twice a second
//   a higher block than before                  ->  the blocks between are fetched, each linked by parent hash
//   a block not above the last one              ->  nothing: some node of the pool is behind
//   a block that is not on the announced chain,
//   or above its head                           ->  asked again, of another node if there is one
//   a reorg removes it before it is reported    ->  asked again
//   an error, or null                           ->  the same; after refusals_max in a row subscribers are refused,
//                                                   and live subscriptions end after patience
//
// Nothing is reported before all blocks up to the reported one are there, and no block before its newHeads. If
// finalized blocks are removed from the announced chain all the same (evm_revert, another genesis), subscriptions
// with cursors get the notice `reorged` and the blocks that replace them; others end.
//
// It is the head poller (head_poller.h) with another tag, and a history of its own, so that jumps, retries and
// cursors work as for newHeads. Without subscribers it makes no calls.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "eth/feeds/feed.h"
#include "eth/head_poller.h"
#include "eth/listeners.h"

namespace fanfare::eth {

struct FinalizedSourceOptions {
  std::uint32_t refusals_max = 4;  // errors or `null` in a row: the node has no finalized blocks
  Duration patience = std::chrono::seconds(30);        // the same, while subscriptions are live
  Duration listen_timeout = std::chrono::seconds(15);  // of await_listening()
  Duration poll_interval_min = std::chrono::milliseconds(500);
  std::uint32_t announced_max = 1024;  // blocks of the announced chain, and reported ones, to compare
};

// The bodies of FeedEvents. Finalized blocks `first` to `last` are not finalized any more.
struct FinalizedUndone {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};
// The nodes do not report finalized blocks any more.
struct FinalizedLost {
  std::string why;
};
using FinalizedEvent = std::variant<Baseline, NewHead, FinalizedUndone, Gap, FinalizedLost>;

class FinalizedSource final : public FeedSource {
 public:
  FinalizedSource(const FinalizedSourceOptions& options, const ChainSourceOptions& chain,
                  jsonrpc::CallIds& call_ids, Random& random);
  ~FinalizedSource() override;

  void set_wanted(bool wanted, Instant now) override;
  void on_chain_event(const ChainEvent& event, Instant now) override;
  void on_timer(Instant now) override;
  bool on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) override;
  std::vector<jsonrpc::UpstreamCall> take_calls() override;
  std::vector<std::any> take_events() override;
  std::optional<Instant> next_timer() const override;
  bool shows(std::uint64_t number, const Hash256& hash) const override;
  std::uint64_t await_listening(Instant now) override;
  std::vector<Listening> take_listening() override { return listeners_.take_results(); }
  History* history() override { return history_.get(); }

 private:
  void begin(Instant now);
  void announced(const Header& header, Instant now);
  void chain_left(const Reorg& reorg, Instant now);
  void undo_from(std::uint64_t first, Instant now);
  void drop_left_claim(Instant now);
  bool on_polled(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now);
  void refused(const std::string& why, Instant now);
  bool is_announced(const BlockId& block) const;
  void take_heads();
  void take_reorg(const Reorg& reorg);
  void report_linked();
  void report(FinalizedEvent event);
  void add_final(const Header& header);

  FinalizedSourceOptions options_;
  HeadPollerOptions heads_options_;
  jsonrpc::CallIds& call_ids_;
  Random& random_;

  std::map<std::uint64_t, Hash256> announced_;  // the chain as announced to subscribers of newHeads
  std::unique_ptr<History> history_;            // of what was reported
  std::unique_ptr<HeadPoller> heads_;           // while it is wanted
  std::optional<std::uint64_t> poll_call_;
  Instant last_hint_ = kLongAgo;
  std::deque<HeaderPtr> linked_;            // behind the last reported one, and not reported yet
  std::optional<BlockId> finalized_;        // named by the node, on the announced chain, and not reported yet
  std::map<std::uint64_t, Hash256> final_;  // the reported blocks
  std::optional<std::uint64_t> reported_;   // the number of the last reported block
  std::uint32_t refusals_ = 0;              // in a row
  Instant refused_since_{};
  std::uint32_t unusable_ = 0;  // answers in a row: the next call goes to another node
  Listeners listeners_;
  std::vector<std::any> events_;
};

std::unique_ptr<Feed> make_new_finalized_heads_feed(FeedLoop& loop, SubscriptionType type);
std::unique_ptr<FeedSource> make_new_finalized_heads_source(const ChainSourceOptions& options,
                                                            jsonrpc::CallIds& call_ids, Random& random);

}  // namespace fanfare::eth
