#pragma once
// New pending transactions, by the first strategy that the node supports, tried in this order:
//
//   pushed   the node pushes them: set_pushed(), saw_pushed()
//   filter   eth_newPendingTransactionFilter, then eth_getFilterChanges; created again if forgotten
//   txpool   txpool_content; new are those that were not in the previous answer
//   block    eth_getBlockByNumber("pending", true); compared in the same manner
//
// If the node rejects a strategy, the next is tried; if it rejects all, they are tried again after retry_all.
// Nothing is polled while no subscriber needs pending transactions. Transactions already in the pool when
// polling begins are not new. Each transaction is reported once, as long as it is among the last seen_max and
// no gap lies between.
//
// A subscriber that must not miss any waits with await_listening(). After its result every new transaction is
// reported, or PendingMissed is (decision 0015).
//
// No I/O. One thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "eth/interest.h"
#include "eth/listeners.h"
#include "eth/pace.h"
#include "eth/pending_bodies.h"
#include "eth/seen_hashes.h"
#include "jsonrpc/upstream_call.h"

namespace fanfare::eth {

struct PendingSourceOptions {
  Duration poll_interval = std::chrono::milliseconds(500);
  Duration backoff_max = std::chrono::seconds(10);
  Duration retry_all = std::chrono::seconds(60);
  Duration call_timeout = std::chrono::seconds(15);
  std::uint32_t seen_max = 65'536;
  std::uint32_t bodies_in_flight_max = 32;  // with a filter each body is a call
  std::uint32_t bodies_waiting_max = 4096;  // beyond it the oldest are dropped: PendingMissed
  std::uint32_t body_attempts_max = 3;      // each on another node, if there is one
  // Bodies are reported in the order of their hashes; later ones pass a body that takes longer than this.
  Duration body_order_wait = std::chrono::seconds(2);
  Duration listen_timeout = std::chrono::seconds(15);  // of await_listening()
  std::uint32_t filter_failures_max = 3;               // in a row: the source gives up on the filter
  // When the node forgot so many filters within retry_all of their creation, the next strategy is tried.
  std::uint32_t short_filters_max = 3;
};

// A new transaction: its hash as the node wrote it.
struct PendingHash {
  std::string hash;
};
// A whole transaction in its pending form. Only while bodies are needed; comes after its PendingHash.
using PendingBody = PendingBodies::Body;
// Transactions may be missing between those reported before and those to come, and will not be reported.
struct PendingMissed {
  bool bodies_only = false;  // every hash was reported
  std::string_view why;      // static, short enough for the reason of a Close frame
  std::string detail;        // the node's message, if there was one
};
using PendingEvent = std::variant<PendingHash, PendingBody, PendingMissed>;

class PendingSource {
 public:
  using Wanted = PendingWanted;
  enum class Strategy { filter, txpool, block, none };

  struct Status {
    Strategy strategy = Strategy::filter;
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;
    std::uint64_t missed = 0;       // PendingMissed events
    std::uint64_t bodies_lost = 0;  // no longer available from the node, or missed
    std::string last_failure;
  };

  PendingSource(const PendingSourceOptions& options, jsonrpc::CallIds& call_ids, Random& random);

  // Call before any other function: nothing is polled before.
  void start(Instant now);
  void set_wanted(Wanted wanted, Instant now);
  // Waits until every new transaction will be reported, while any are needed. take_listening() returns the
  // result under the returned id, after listen_timeout at the latest.
  using ListenerId = Listeners::Id;
  ListenerId await_listening(Instant now);
  // Whether a node pushes new transactions, so that polls are not needed.
  void set_pushed(bool pushed, Instant now);
  // The node pushed this transaction: its hash without quotes.
  void saw_pushed(std::string_view hash, Instant now);
  void on_timer(Instant now);
  // False: the call is not, or no longer, one of this source.
  bool on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now);

  std::vector<jsonrpc::UpstreamCall> take_calls() { return std::exchange(calls_, {}); }
  std::vector<PendingEvent> take_events() { return std::exchange(events_, {}); }
  // Take these after the events: events reported earlier precede the result.
  std::vector<Listening> take_listening() { return listeners_.take_results(); }
  std::optional<Instant> next_timer() const;
  const Status& status() const { return status_; }

 private:
  void begin_listening();
  void miss(std::string_view why, const std::string& detail);
  void begin_polling(Instant now);
  void poll(Instant now);
  void stop_polling();
  void poll_again(Instant now);
  std::uint64_t call(std::string_view method, std::string params_json, std::uint32_t attempt = 0);
  void try_next_strategy(const std::string& why, Instant now);
  void fail(std::string why, Instant now);
  void poll_failed(const jsonrpc::CallFailure& failure, Instant now);
  void filter_forgotten(const std::string& why, Instant now);
  void on_poll_reply(std::string_view json, Instant now);
  void on_body(std::uint64_t serial, const jsonrpc::CallResult& result);
  // False: the answer is malformed.
  bool read_filter_id(std::string_view json, Instant now);
  bool read_changes(std::string_view json);
  bool read_pool(std::string_view json);
  bool read_block(std::string_view json);
  void saw_hash(std::string_view hash);
  void saw_transaction(std::string_view transaction_json);
  void ask_for_bodies(Instant now);
  void tell_bodies(Instant now);
  void miss_bodies(std::string_view why, std::string detail);

  PendingSourceOptions options_;
  jsonrpc::CallIds& call_ids_;
  Random& random_;
  Backoff backoff_;
  bool started_ = false;
  Wanted wanted_ = Wanted::nothing;
  bool pushed_ = false;
  bool listening_ = false;        // every new transaction is reported
  std::uint32_t last_polls_ = 0;  // above 0: polls left before pushes alone suffice
  std::string filter_id_json_;    // raw; empty: no filter
  Instant filter_since_ = kLongAgo;
  std::uint32_t filter_failures_ = 0;  // in a row
  std::uint32_t short_filters_ = 0;
  bool baseline_ = true;  // the next answer of a pool or block shows what already exists
  std::optional<std::uint64_t> poll_call_;
  PendingBodies bodies_;
  std::map<std::uint64_t, std::uint64_t> body_calls_;  // call id -> serial of the body
  SeenHashes seen_;
  std::optional<Instant> timer_;  // for the next poll
  Listeners listeners_;
  std::vector<jsonrpc::UpstreamCall> calls_;
  std::vector<PendingEvent> events_;
  Status status_;
};

}  // namespace fanfare::eth
