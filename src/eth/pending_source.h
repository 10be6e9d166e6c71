#pragma once
// New pending transactions, by whatever way the node has, tried in this order:
//
//   filter      eth_newPendingTransactionFilter, then eth_getFilterChanges; set up again when the node forgot
//   it txpool      txpool_content; what was not in the answer before is new block
//   eth_getBlockByNumber("pending", true); the same
//
// A node that rejects one way is asked the next; one that rejects all is asked again after retry_all. Nothing
// is asked while nobody wants pending transactions. What is in the pool when asking begins is not new. Each
// transaction is told once, as long as it is among the last seen_max.
//
// No I/O. One thread.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "eth/hex.h"
#include "eth/interest.h"
#include "eth/pace.h"
#include "eth/upstream_call.h"

namespace fanfare::eth {

struct PendingSourceOptions {
  Duration poll_interval = std::chrono::milliseconds(500);
  Duration backoff_max = std::chrono::seconds(10);
  Duration retry_all = std::chrono::seconds(60);
  Duration call_timeout = std::chrono::seconds(15);
  std::uint32_t seen_max = 65'536;
  std::uint32_t bodies_in_flight_max = 32;  // with a filter each body is a call
  std::uint32_t bodies_waiting_max = 4096;  // past it the oldest goes without, counted
};

// A new one: its hash as the node wrote it.
struct PendingHash {
  std::string hash;
};
// The same, whole. Only while bodies are wanted; after its PendingHash.
struct PendingBody {
  std::string hash;
  std::string transaction_json;
};
using PendingEvent = std::variant<PendingHash, PendingBody>;

class PendingSource {
 public:
  using Wanted = PendingWanted;
  enum class Way { filter, txpool, block, none };

  struct Status {
    Way way = Way::filter;
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;
    std::uint64_t bodies_lost = 0;  // gone from the node before they could be read, or past the limit
    std::string last_failure;
  };

  PendingSource(const PendingSourceOptions& options, CallIds& call_ids, Random& random);

  void set_wanted(Wanted wanted, Instant now);
  // Whether a node tells of new ones by itself, so that nothing is polled.
  void set_pushed(bool pushed, Instant now);
  // It told of this one: its hash between the quotes.
  void saw_pushed(std::string_view hash);
  void on_timer(Instant now);
  // False: no call of ours (any more).
  bool on_reply(std::uint64_t call_id, const CallResult& result, Instant now);

  std::vector<UpstreamCall> take_calls();
  std::vector<PendingEvent> take_events();
  std::optional<Instant> next_timer() const { return timer_; }
  const Status& status() const { return status_; }

 private:
  void poll(Instant now);
  std::uint64_t call(std::string_view method, std::string params_json);
  void next_way(std::string why, Instant now);
  void fail(std::string why, Instant now);
  void poll_again(Instant now);
  void on_poll_reply(std::string_view json, Instant now);
  void on_body(const std::string& hash, std::string_view json);
  void read_pool(std::string_view json);
  void read_block(std::string_view json);
  void saw_transaction(std::string_view transaction_json);
  bool is_new(std::string_view hash);
  void ask_for_bodies();

  PendingSourceOptions options_;
  CallIds& call_ids_;
  Random& random_;
  Backoff backoff_;
  Wanted wanted_ = Wanted::nothing;
  bool pushed_ = false;
  std::string filter_id_json_;  // raw; empty: none set up
  bool baseline_ = true;        // the next answer of a pool or block shows what is there already
  std::optional<std::uint64_t> poll_call_;
  std::map<std::uint64_t, std::string> body_calls_;
  std::deque<std::string> bodies_waiting_;
  std::unordered_set<Hash256, FixedBytesHash> seen_;
  std::deque<Hash256> seen_order_;
  std::optional<Instant> timer_;
  std::vector<UpstreamCall> calls_;
  std::vector<PendingEvent> events_;
  Status status_;
};

}  // namespace fanfare::eth
