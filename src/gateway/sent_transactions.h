#pragma once
// Which node of a network took which transaction, for a while: other nodes may hear of it later. No I/O.

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
  std::size_t transactions_max = 16'384;               // past it the oldest are forgotten
  Duration remembered_for = std::chrono::minutes(10);  // a transaction
  Duration senders_for = std::chrono::minutes(2);      // that a node took one
};

class SentTransactions {
 public:
  explicit SentTransactions(SentLimits limits = {}) : limits_(limits) {}

  // `hash` is as the node gave it.
  void note(std::string hash, std::size_t member, Instant now);
  std::optional<std::size_t> member_of(std::string_view hash, Instant now) const;
  // The nodes that took any, in ascending order.
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
