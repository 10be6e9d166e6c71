#include "session/unfinished_input.h"

#include <limits>
#include <memory>

#include "session/milliseconds.h"

namespace fanfare::session {

bool UnfinishedInput::note(const Member& member, std::size_t held, std::size_t came, std::uint32_t now_ms) {
  if (held == 0) {
    forget(member);
    return true;
  }
  const auto [at, is_new] = parts_.try_emplace(&member);
  UnfinishedPart& part = at->second;
  if (is_new) {
    part.from_ms = now_ms;
    if (budget_ != nullptr) {
      part.hold = ByteHold(std::make_shared<ByteShare>(*budget_, std::numeric_limits<std::size_t>::max()));
    }
  }
  part.came += came;
  if (held > part.hold.bytes()) return part.hold.grow(held - part.hold.bytes());
  part.hold.shrink_to(held);
  return true;
}

void UnfinishedInput::forget(const Member& member) {
  if (parts_.empty()) return;
  parts_.erase(&member);
  if (parts_.empty()) parts_ = decltype(parts_)();  // frees the memory that they needed for many connections
}

void UnfinishedInput::restart(const Member& member, std::uint32_t now_ms) {
  const auto found = parts_.find(&member);
  if (found == parts_.end()) return;
  found->second.came = 0;
  found->second.from_ms = now_ms;
}

bool UnfinishedInput::is_too_slow(const Member& member, Duration time, std::uint32_t bytes_per_second_min,
                                  std::uint32_t now_ms) {
  const auto found = parts_.find(&member);
  if (found == parts_.end()) return false;
  UnfinishedPart& part = found->second;
  const std::uint32_t waited = now_ms - part.from_ms;
  if (waited < to_ms(time)) return false;
  if (1000 * part.came < std::uint64_t{waited} * bytes_per_second_min) return true;
  part.came = 0;
  part.from_ms = now_ms;
  return false;
}

}  // namespace fanfare::session
