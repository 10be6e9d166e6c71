#pragma once
// Whole pending transactions: requested one by one, reported in the order in which their hashes came, in the
// form that a node uses for a transaction in no block.
//
//   add(hash) -> [ waiting | asked | known | lost ]  -> take(): from the front, as far as they are known
//
// Answers come in any order, so a known body waits for the earlier ones. It waits at most order_wait after
// the call for an earlier one was made. Then it passes that one, which is reported when it arrives.
// No I/O. One thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace fanfare::eth {

// Sets blockHash, blockNumber, transactionIndex and blockTimestamp to null, as geth does, and keeps all other
// bytes. A node that mines at once already returns the transaction with its block.
std::string as_pending(std::string_view transaction_json);

class PendingBodies {
 public:
  struct Limits {
    std::uint32_t in_flight_max = 32;
    std::uint32_t waiting_max = 4096;  // not known yet
    std::uint32_t attempts_max = 3;
    Duration order_wait = std::chrono::seconds(2);
  };
  struct Ask {
    std::uint64_t serial = 0;
    std::string hash;
    std::uint32_t attempt = 0;
  };
  struct Body {
    std::string hash;
    std::string transaction_json;
  };

  explicit PendingBodies(const Limits& limits) : limits_(limits) {}

  // Adds a body that a call has to fetch, or one that arrived whole.
  void add(std::string_view hash);
  void add(std::string_view hash, std::string_view transaction_json);
  // Drops the oldest beyond waiting_max as lost, and returns how many.
  std::uint32_t drop_surplus();
  // The calls to make now.
  std::vector<Ask> take_asks(Instant now);
  // The results of calls. Results for dropped bodies are ignored. `failed` returns true when there is no
  // further attempt.
  void known(std::uint64_t serial, std::string_view transaction_json);
  bool failed(std::uint64_t serial);
  // The bodies that can be reported now, in order.
  std::vector<Body> take(Instant now);
  // When take() returns more without a further answer.
  std::optional<Instant> next_timer() const;
  void clear();

 private:
  enum class State : std::uint8_t { waiting, asked, known, over };
  struct Slot {
    std::string hash;
    std::string json;
    State state = State::waiting;
    std::uint32_t attempt = 0;
    Instant asked_at{};  // time of the first request
  };

  Slot* find(std::uint64_t serial);
  bool is_passed(const Slot& slot, Instant now) const;

  Limits limits_;
  std::deque<Slot> slots_;
  std::uint64_t first_serial_ = 0;  // of slots_.front()
  std::uint32_t waiting_ = 0;       // slots by state
  std::uint32_t asked_ = 0;
  std::uint32_t known_ = 0;
};

}  // namespace fanfare::eth
