#pragma once
// What a resuming subscriber has missed: from the position of its cursor to the announced head, in batches,
// preceded by what must be retracted. No I/O. One thread, the chain view's.
//
//   resume(position, needs)  ->  batch, batch, .., batch with `live`      one resume() for each batch
//
// It keeps the announced blocks of the window with their logs, as the chain view reports them. It fetches
// missing data once for all readers that need it:
//
//   block below the announced chain     eth_getBlockByNumber, many in parallel, trusted once it links
//   logs of a block                    eth_getLogs by block hash, or another strategy (logs_request.h)
//   removed block                      eth_getBlockByHash, and its logs by hash, unless its removal was seen
//
// A batch with `live` ends at the announced head. A caller that delivers it before the chain view's next
// event, and then delivers that event and all later ones, loses nothing and sends nothing twice.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "eth/block_fetches.h"
#include "eth/block_logs.h"
#include "eth/block_receipts.h"
#include "eth/chain_view.h"
#include "eth/cursor.h"
#include "eth/feeds/subscription_type.h"
#include "eth/fork_finder.h"
#include "eth/interest.h"
#include "eth/known_chain.h"
#include "jsonrpc/upstream_call.h"

namespace fanfare::eth {

struct HistoryOptions {
  std::uint32_t window_blocks = 256;    // a position further behind is not replayed
  std::uint32_t batch_blocks_max = 32;  // new blocks in one batch
  std::uint32_t live_blocks_max = 4;    // with more left, the reader gets another batch before it is live
  std::uint32_t calls_in_flight_max = 16;
  std::uint32_t attempts_max = 12;                 // unusable answers about a block of the chain
  std::uint32_t branch_attempts_max = 3;           // unusable answers about a removed block
  std::uint32_t branch_blocks_max = 1024;          // removed blocks that are remembered
  Duration ahead_wait = std::chrono::seconds(30);  // how long a position above the head waits for it
  // After that time such a position waits again, instead of being taken for one that the chain went back from.
  bool waits_ahead = false;
  Duration given_up_for = std::chrono::seconds(10);
  Duration retry_min = std::chrono::milliseconds(50);
  Duration retry_max = std::chrono::seconds(5);
  Duration call_timeout = std::chrono::seconds(15);
};

struct HistoryNeeds {
  bool logs = false;
  bool receipts = false;
  SubscriptionType of = SubscriptionType::new_heads;  // whose history; the chain's own if the type has none
  // The reader has everything up to its position, and may have what it was sent up to these, on whatever branch. With `logs`, that is
  // retracted where it is not part of the chain; otherwise the reader gets everything after the last block that all of these share
  // with the chain.
  std::vector<Position> may_have = {};
  // It may also have what nobody knows of. It gets what follows the first block, from a little below its position on, that was removed and
  // has come back. With `logs`, blocks that were removed since this many removals are retracted. Empty: nothing is unknown.
  std::optional<std::uint64_t> removed_since = {};
};

// Why something is missing, as reported to clients.
enum class MissedBecause : std::uint8_t { window, unknown_block, unavailable, slow };
std::string_view name_of(MissedBecause reason);

struct HistoryEvent {
  enum class Kind : std::uint8_t {
    removed,  // a block that was sent is no longer part of the chain
    rest,     // the part not sent yet of the block that the position names
    added,    // a block of which nothing was sent
    missed,   // of the blocks `first` to `last` not everything is available
    reorged,  // the sent blocks `first` to `last` are removed, and their logs are unknown
  };
  Kind kind = Kind::added;
  bool is_aside = false;  // of HistoryNeeds::may_have: the reader's position stays
  HeaderPtr header = {};
  BlockLogsPtr logs = {};          // if they were needed
  BlockReceiptsPtr receipts = {};  // if they were needed
  std::uint32_t logs_told = 0;     // removed: how many to retract; rest: how many were sent
  std::uint32_t logs_kept = 0;     // removed: the first ones of these, which are not retracted
  std::vector<std::size_t> of =
      {};  // aside: indices of HistoryNeeds::may_have, of those whose branch has the block
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  MissedBecause because = MissedBecause::window;
};

struct HistoryBatch {
  Position from;  // the position in the request
  std::vector<HistoryEvent> events;
  Position reached;  // the position of a reader after all events
  // With `logs`: HistoryNeeds::may_have, in that order, where each leaves the reader after the events aside.
  std::vector<Position> lowered;
  std::vector<Position> ahead;  // of these: above `reached`
  bool replaces = false;        // without `logs`: the first event replaces what the reader may have
  std::uint64_t removals = 0;   // for HistoryNeeds::removed_since of the next one
  bool live = false;
};
using HistoryBatchPtr = std::shared_ptr<const HistoryBatch>;

// The receipts of an announced block. They come in block order, each block once.
struct ReceiptsKnown {
  HeaderPtr header;
  BlockReceiptsPtr receipts;
};
// The history gave up on the receipts of a block.
struct ReceiptsMissing {
  HeaderPtr header;
};
using ReceiptsEvent = std::variant<ReceiptsKnown, ReceiptsMissing>;

class History {
 public:
  using JobId = std::uint64_t;
  struct Answer {
    JobId job = 0;
    HistoryBatchPtr batch;
  };
  struct Status {
    std::uint64_t calls = 0;
    std::uint64_t blocks_fetched = 0;  // headers and logs counted separately
    std::uint64_t missed = 0;          // batches that report missing data
    std::size_t jobs = 0;
    std::uint64_t receipts_late = 0;  // announced blocks whose receipts are outstanding
  };

  // `call_ids` and `random` must outlive the history.
  History(const HistoryOptions& options, jsonrpc::CallIds& call_ids, Random& random);

  // Takes the events of the chain view, in order. A removed block whose logs the view never reported gets the logs that
  // were sent from here.
  void on_event(ChainEvent& event);
  // Whether logs of announced blocks are still outstanding for live subscribers, and whether an empty answer that
  // contradicts a block's bloom filter is doubted.
  void set_view_state(bool logs_are_late, bool bloom_trusted);

  // A loop that has published the chain up to `after` (empty: nothing of it) needs receipts. From now on the receipts of
  // every block are reported, in block order, from the first block that this loop has not published. Other loops may so get
  // receipts again; they drop them by block number (SubscriptionManager::publish_receipts).
  void want_receipts_after(const std::optional<BlockId>& after);
  // The first block of the chain that a loop which published it up to `after` has not published. `after` may be on a
  // removed branch.
  std::uint64_t first_after(const std::optional<BlockId>& after) const;
  // No loop needs receipts any more.
  void stop_receipts() { receipts_wanted_ = false; }

  JobId resume(const Position& from, const HistoryNeeds& needs, Instant now);
  void on_timer(Instant now) { fetches_.on_timer(now); }
  // False: the call is not, or no longer, one of this history.
  bool on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) {
    return fetches_.on_reply(call_id, result, now);
  }
  // Call after each of the functions above, but only once all events of the chain view were passed to the loops. Checks
  // which jobs can make progress.
  void pump(Instant now);

  std::vector<jsonrpc::UpstreamCall> take_calls() { return fetches_.take_calls(); }
  std::vector<ReceiptsEvent> take_receipts();
  std::vector<Answer> take_answers();
  std::optional<Instant> next_timer() const;

  Status status() const;

 private:
  using Block = KnownChain::Block;
  struct Job {
    JobId id = 0;
    Position from;
    HistoryNeeds needs;
    Instant give_up_waiting;  // the deadline for the head to arrive
    bool waits_for_head = false;
  };

  void tell_receipts(Instant now);
  std::uint64_t receipts_late() const;
  std::optional<HistoryBatch> advance(const Job& job, Instant now);
  bool must_wait_for_head(const Job& job, Instant now) const;
  Have append_removed(const Job& job, std::uint64_t& fork, HistoryBatch& batch, Instant now);
  Have prepend_aside(const Job& job, HistoryBatch& batch, Instant now);
  Have find_aside(const Job& job, std::size_t which, std::vector<HistoryEvent>& aside, HistoryBatch& batch,
                  Instant now);
  Have find_unknown(const Job& job, std::vector<HistoryEvent>& aside, Instant now);
  std::optional<HistoryBatch> continue_from(const Job& job, std::uint64_t next, HistoryBatch batch,
                                            Instant now);
  Have append_block(const Job& job, const Block& block, HistoryEvent event, HistoryBatch& batch, Instant now);
  // Empty: not known yet from which block on.
  std::optional<HistoryBatch> skip_to_tip(const Position& from, MissedBecause because, Instant now);

  void push(const HeaderPtr& header, const BlockLogsPtr& logs);
  void remove_tip();

  const HistoryOptions options_;
  KnownChain chain_;
  BlockFetches fetches_;
  ForkFinder forks_;
  bool logs_are_late_ = false;
  // While receipts are needed: the next block to report. Each removed block lowers it, so that the replacing blocks are
  // reported for every live subscriber.
  bool receipts_wanted_ = false;
  std::uint64_t receipts_next_ = 0;
  std::vector<ReceiptsEvent> receipts_events_;
  std::vector<Job> jobs_;
  JobId last_job_ = 0;
  std::vector<Answer> answers_;
  Status status_;
};

}  // namespace fanfare::eth
