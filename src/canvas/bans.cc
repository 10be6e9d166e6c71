#include "canvas/bans.h"

#include <algorithm>

#include "base/text.h"

namespace fanfare::canvas {

void Bans::set_identity(std::string_view identity, std::int64_t until_ms, std::int64_t now_ms) {
  if (!identity.empty()) set(joined({"i", identity}), until_ms, now_ms);
}

void Bans::set_payer(std::string_view payer, std::string_view identity, std::int64_t until_ms,
                     std::int64_t now_ms) {
  if (!payer.empty()) set(joined({"p", payer, "\n", identity}), until_ms, now_ms);
}

void Bans::set(std::string key, std::int64_t until_ms, std::int64_t now_ms) {
  if (until_ms <= now_ms) {
    until_.erase(key);
    return;
  }
  if (!until_.contains(key)) make_room(now_ms);
  until_[std::move(key)] = until_ms;
}

void Bans::make_room(std::int64_t now_ms) {
  if (until_.size() < bans_max_) return;
  std::erase_if(until_, [&](const auto& ban) { return ban.second <= now_ms; });
  if (until_.size() < bans_max_) return;
  until_.erase(std::ranges::min_element(until_, {}, [](const auto& ban) { return ban.second; }));
}

std::optional<std::chrono::milliseconds> Bans::left(std::string_view identity, std::string_view payer,
                                                    std::int64_t now_ms) const {
  if (until_.empty()) return std::nullopt;
  std::int64_t until_ms = now_ms;
  if (const auto found = until_.find(joined({"i", identity})); found != until_.end()) {
    until_ms = std::max(until_ms, found->second);
  }
  const std::string of_payer = joined({"p", payer, "\n"});
  for (auto ban = until_.lower_bound(of_payer); ban != until_.end() && ban->first.starts_with(of_payer);
       ++ban) {
    until_ms = std::max(until_ms, ban->second);
  }
  if (until_ms <= now_ms) return std::nullopt;
  return std::chrono::milliseconds(until_ms - now_ms);
}

}  // namespace fanfare::canvas
