#pragma once
// Decides from the memory in use what the process still takes on. Each level is left 5 % of the ceiling below where it
// was entered, so that it does not change back and forth.

#include <cstdint>

#include "gateway/defend/plan.h"

namespace fanfare::gateway {

enum class MemoryLevel : std::uint8_t {
  normal,
  soft,  // new connections are refused
  hard,  // all new work is refused, and the slowest clients are closed
};
std::string_view name_of(MemoryLevel level);

class MemoryMarks {
 public:
  static constexpr std::uint32_t kHysteresisPercent = 5;

  // `ceiling` 0: unknown, and the level is always normal.
  MemoryMarks(std::uint64_t ceiling, const MemoryPlan& plan);

  MemoryLevel update(std::uint64_t used);
  MemoryLevel level() const { return level_; }
  std::uint64_t ceiling() const { return ceiling_; }
  std::uint64_t soft_bytes() const { return soft_; }
  std::uint64_t hard_bytes() const { return hard_; }
  // Below it, the level `soft` ends.
  std::uint64_t normal_bytes() const { return soft_ - hysteresis_; }

 private:
  const std::uint64_t ceiling_;
  const std::uint64_t hysteresis_;
  const std::uint64_t soft_;
  const std::uint64_t hard_;
  MemoryLevel level_ = MemoryLevel::normal;
};

}  // namespace fanfare::gateway
