#include "relay/lease.h"

#include <algorithm>

namespace fanfare::relay {

Instant Lease::due(bool is_wanted) const {
  if (!is_wanted) return is_mine_ ? Instant{} : Instant::max();
  if (is_mine_) return std::max(saturating_add(renewed_, length_ / 3), saturating_add(looked_, length_ / 12));
  if (may_put_) return Instant{};
  return saturating_add(looked_, length_ / 4);
}

Lease::Step Lease::next(Instant now, bool is_wanted) const {
  if (now < due(is_wanted)) return Step::none;
  if (!is_wanted) return is_mine_ ? Step::give_up : Step::none;
  if (is_mine_) return Step::put;
  return may_put_ ? Step::put : Step::look;
}

void Lease::seen(Instant now, const std::optional<Bucket::Entry>& entry) {
  looked_ = now;
  const std::uint64_t revision = entry ? entry->revision : 0;
  const std::string value = entry ? entry->value : std::string();
  const std::size_t end = std::min(value.find(' '), value.size());
  const std::string holder = value.substr(0, end);
  note_ = value.substr(std::min(end + 1, value.size()));
  if (revision != revision_) changed_ = now;
  revision_ = revision;
  // This instance's own: the answer to a put was lost.
  const bool is_own = holder == holder_;
  may_put_ = holder.empty() || is_own || now - changed_ >= length_;
}

void Lease::put_done(Instant began, std::optional<std::uint64_t> revision) {
  may_put_ = false;
  looked_ = began;
  if (revision) {
    is_mine_ = true;
    revision_ = *revision;
    renewed_ = began;
    return;
  }
  // A holder may be late, and look at what is there; until then it keeps what it has.
  if (is_mine_ && began < valid_until()) return;
  is_mine_ = false;
}

void Lease::released() {
  is_mine_ = false;
  may_put_ = false;
  revision_ = 0;
  looked_ = kLongAgo;
}

}  // namespace fanfare::relay
