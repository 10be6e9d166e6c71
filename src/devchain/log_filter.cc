#include "devchain/log_filter.h"

#include <algorithm>

namespace fanfare::devchain {

bool LogFilter::matches(const Log& log) const {
  if (!addresses.empty() && std::ranges::find(addresses, log.address) == addresses.end()) return false;
  if (topics.size() > log.topics.size()) return false;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    if (!topics[i].empty() && std::ranges::find(topics[i], log.topics[i]) == topics[i].end()) return false;
  }
  return true;
}

bool LogFilter::may_match(const Bloom& bloom) const {
  const auto may_contain = [&](const auto& value) { return bloom_may_contain(bloom, value); };
  if (!addresses.empty() && std::ranges::none_of(addresses, may_contain)) return false;
  return std::ranges::all_of(topics, [&](const auto& alternatives) {
    return alternatives.empty() || std::ranges::any_of(alternatives, may_contain);
  });
}

}  // namespace fanfare::devchain
