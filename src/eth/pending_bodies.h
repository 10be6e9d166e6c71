#pragma once
// Whole pending transactions: asked for one by one, told in the order in which their hashes came, each as a
// node shows what is in no block yet.
//
//   add(hash) -> [ waiting | asked | known | lost ]  -> take(): from the front, as far as they are known
//
// The answers come in any order, so those that are known wait for the ones before them, but no longer than
// order_wait after the call for that one was made: then they pass it, and it is told when it comes.
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

// blockHash, blockNumber, transactionIndex and blockTimestamp are null, as geth has it; all other bytes as
// they are. A node that mines at once shows the transaction in its block already when it is asked.
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

  // One that a call has to bring, or one that came whole.
  void add(std::string_view hash);
  void add(std::string_view hash, std::string_view transaction_json);
  // Those past waiting_max, oldest first, are lost: how many.
  std::uint32_t drop_surplus();
  // To be asked for now.
  std::vector<Ask> take_asks(Instant now);
  // The answers. Those to what is gone meanwhile are ignored. `failed`: true when it will not be asked again.
  void known(std::uint64_t serial, std::string_view transaction_json);
  bool failed(std::uint64_t serial);
  // What can be told now, in order.
  std::vector<Body> take(Instant now);
  // When take() will have more without an answer.
  std::optional<Instant> next_timer() const;
  void clear();

 private:
  enum class State : std::uint8_t { waiting, asked, known, over };
  struct Slot {
    std::string hash;
    std::string json;
    State state = State::waiting;
    std::uint32_t attempt = 0;
    Instant asked_at{};  // the first time
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
