#pragma once
// Remembers which node of a network accepted which transaction, for a while: other nodes may receive it
// later. No I/O.

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.h"

namespace fanfare::gateway {

struct SentLimits {
  std::size_t transactions_max = 16'384;               // beyond it the oldest are forgotten
  Duration remembered_for = std::chrono::minutes(10);  // how long a transaction is remembered
  Duration senders_for = std::chrono::minutes(2);      // how long it is remembered that a node accepted one
};

class SentTransactions {
 public:
  explicit SentTransactions(SentLimits limits = {}) : limits_(limits) {}

  // `hash` in the node's spelling.
  void note(std::string hash, std::size_t member, Instant now);
  std::optional<std::size_t> member_of(std::string_view hash, Instant now) const;
  // The nodes that accepted any, in ascending order.
  std::vector<std::size_t> members(Instant now) const;
  std::size_t size() const { return by_hash_.size(); }

 private:
  struct Sent {
    std::size_t member = 0;
    Instant at{};
  };
  SentLimits limits_;
  std::unordered_map<std::string, Sent> by_hash_;
  std::deque<std::string> by_age_;
  std::map<std::size_t, Instant> last_;  // by member
};

}  // namespace fanfare::gateway
