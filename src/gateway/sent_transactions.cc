#include "gateway/sent_transactions.h"

#include <utility>

namespace fanfare::gateway {

void SentTransactions::note(std::string hash, std::size_t member, Instant now) {
  last_[member] = now;
  const auto [place, is_new] = by_hash_.try_emplace(hash);
  place->second = {.member = member, .at = now};
  if (!is_new) return;
  by_age_.push_back(std::move(hash));
  if (by_age_.size() <= limits_.transactions_max) return;
  by_hash_.erase(by_age_.front());
  by_age_.pop_front();
}

std::optional<std::size_t> SentTransactions::member_of(std::string_view hash, Instant now) const {
  const auto found = by_hash_.find(std::string(hash));
  if (found == by_hash_.end() || now - found->second.at > limits_.remembered_for) return std::nullopt;
  return found->second.member;
}

std::vector<std::size_t> SentTransactions::members(Instant now) const {
  std::vector<std::size_t> all;
  for (const auto& [member, at] : last_) {
    if (now - at <= limits_.senders_for) all.push_back(member);
  }
  return all;
}

}  // namespace fanfare::gateway
