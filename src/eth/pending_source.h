#pragma once
// New pending transactions, by whatever way the node has, tried in this order:
//
//   pushed   the node tells by itself: set_pushed(), saw_pushed()
//   filter   eth_newPendingTransactionFilter, then eth_getFilterChanges; set up again when the node forgot it
//   txpool   txpool_content; what was not in the answer before is new
//   block    eth_getBlockByNumber("pending", true); the same
//
// A node that rejects one way is asked the next; one that rejects all is asked again after retry_all. Nothing
// is asked while nobody wants pending transactions. What is in the pool when asking begins is not new. Each
// transaction is told once, as long as it is among the last seen_max and no hole lies between.
//
// Who wants to be sure to miss none waits with await_listening(): from its answer on all that come are told,
// or a PendingMissed is (decision 0015).
//
// No I/O. One thread.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "eth/hex.h"
#include "eth/interest.h"
#include "eth/pace.h"
#include "eth/pending_bodies.h"
#include "eth/upstream_call.h"

namespace fanfare::eth {

struct PendingSourceOptions {
  Duration poll_interval = std::chrono::milliseconds(500);
  Duration backoff_max = std::chrono::seconds(10);
  Duration retry_all = std::chrono::seconds(60);
  Duration call_timeout = std::chrono::seconds(15);
  std::uint32_t seen_max = 65'536;
  std::uint32_t bodies_in_flight_max = 32;  // with a filter each body is a call
  std::uint32_t bodies_waiting_max = 4096;  // past it the oldest goes without: PendingMissed
  std::uint32_t body_attempts_max = 3;      // each at another node, if there is one
  // Whole ones are told in the order of their hashes; one that takes longer is passed by the others.
  Duration body_order_wait = std::chrono::seconds(2);
  Duration listen_timeout = std::chrono::seconds(15);  // of await_listening()
  std::uint32_t filter_failures_max = 3;               // in a row: the filter is given up
  // So many filters that the node forgot within retry_all of their making: it is asked the next way.
  std::uint32_t short_filters_max = 3;
};

// A new one: its hash as the node wrote it.
struct PendingHash {
  std::string hash;
};
// The same, whole, and as of no block. Only while bodies are wanted; after its PendingHash.
using PendingBody = PendingBodies::Body;
// Between what was told before and what will be, some may lack, and nothing will bring them.
struct PendingMissed {
  bool bodies_only = false;  // every hash was told
  std::string_view why;      // static, short enough for the reason of a Close frame
  std::string detail;        // the node's words, if it had any
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
    std::uint64_t missed = 0;       // PendingMissed told
    std::uint64_t bodies_lost = 0;  // gone from the node before they could be read, or missed
    std::string last_failure;
  };

  PendingSource(const PendingSourceOptions& options, CallIds& call_ids, Random& random);

  // Nothing is asked before.
  void start(Instant now);
  void set_wanted(Wanted wanted, Instant now);
  // Waits until whatever comes from then on is told, as long as they are wanted: take_listening() has the
  // answer, under the number returned, listen_timeout later at most.
  using ListenerId = std::uint64_t;
  ListenerId await_listening(Instant now);
  // Whether a node tells of new ones by itself, so that nothing is polled.
  void set_pushed(bool pushed, Instant now);
  // It told of this one: its hash between the quotes.
  void saw_pushed(std::string_view hash, Instant now);
  void on_timer(Instant now);
  // False: no call of ours (any more).
  bool on_reply(std::uint64_t call_id, const CallResult& result, Instant now);

  struct Listening {
    ListenerId listener = 0;
    std::string refusal;  // empty: from here on all are told
  };

  std::vector<UpstreamCall> take_calls();
  std::vector<PendingEvent> take_events() { return std::exchange(events_, {}); }
  // After the events: what was told before an answer is not of its time.
  std::vector<Listening> take_listening();
  std::optional<Instant> next_timer() const;
  const Status& status() const { return status_; }

 private:
  struct Listener {
    ListenerId id = 0;
    Instant deadline{};
  };
  void begin_listening();
  void miss(std::string_view why, const std::string& detail);
  void refuse(const Listener& listener, const std::string& why);
  void refuse_listeners(const std::string& why);
  void begin_polling(Instant now);
  void poll(Instant now);
  void stop_polling();
  void poll_again(Instant now);
  std::uint64_t call(std::string_view method, std::string params_json, std::uint32_t attempt = 0);
  void next_way(const std::string& why, Instant now);
  void fail(std::string why, Instant now);
  void poll_failed(const CallFailure& failure, Instant now);
  void filter_forgotten(const std::string& why, Instant now);
  void on_poll_reply(std::string_view json, Instant now);
  void on_body(std::uint64_t serial, const CallResult& result);
  // False: not the answer it should be.
  bool read_filter_id(std::string_view json, Instant now);
  bool read_changes(std::string_view json);
  bool read_pool(std::string_view json);
  bool read_block(std::string_view json);
  void saw_hash(std::string_view hash);
  void saw_transaction(std::string_view transaction_json);
  bool is_new(std::string_view hash);
  void forget_seen();
  void ask_for_bodies(Instant now);
  void tell_bodies(Instant now);
  void miss_bodies(std::string_view why, std::string detail);

  PendingSourceOptions options_;
  CallIds& call_ids_;
  Random& random_;
  Backoff backoff_;
  bool started_ = false;
  Wanted wanted_ = Wanted::nothing;
  bool pushed_ = false;
  bool listening_ = false;        // whatever comes is told
  std::uint32_t last_polls_ = 0;  // above 0: so many more, and then what is pushed is enough
  std::string filter_id_json_;    // raw; empty: none set up
  Instant filter_since_{};
  std::uint32_t filter_failures_ = 0;  // in a row
  std::uint32_t short_filters_ = 0;
  bool baseline_ = true;  // the next answer of a pool or block shows what is there already
  std::optional<std::uint64_t> poll_call_;
  PendingBodies bodies_;
  std::map<std::uint64_t, std::uint64_t> body_calls_;  // to the serial of the body
  std::unordered_set<Hash256, FixedBytesHash> seen_;
  std::deque<Hash256> seen_order_;
  std::optional<Instant> timer_;  // of the polls
  std::deque<Listener> listeners_;
  ListenerId last_listener_ = 0;
  std::vector<UpstreamCall> calls_;
  std::vector<PendingEvent> events_;
  std::vector<Listening> listening_answers_;
  Status status_;
};

}  // namespace fanfare::eth
