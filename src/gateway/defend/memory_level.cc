#include "gateway/defend/memory_level.h"

#include <string_view>

namespace fanfare::gateway {
namespace {

std::uint64_t percent_of(std::uint64_t bytes, std::uint32_t percent) {
  return bytes / 100 * percent;
}

}  // namespace

std::string_view name_of(MemoryLevel level) {
  switch (level) {
    case MemoryLevel::normal:
      return "normal";
    case MemoryLevel::soft:
      return "soft";
    case MemoryLevel::hard:
      return "hard";
  }
  return "";
}

MemoryMarks::MemoryMarks(std::uint64_t ceiling, const MemoryPlan& plan)
    : ceiling_(ceiling),
      hysteresis_(percent_of(ceiling, kHysteresisPercent)),
      soft_(percent_of(ceiling, plan.soft_percent)),
      hard_(percent_of(ceiling, plan.hard_percent)) {}

MemoryLevel MemoryMarks::update(std::uint64_t used) {
  if (ceiling_ == 0) return level_;
  const bool was_soft = level_ != MemoryLevel::normal;
  const bool was_hard = level_ == MemoryLevel::hard;
  if (used >= hard_ || (was_hard && used >= hard_ - hysteresis_)) {
    level_ = MemoryLevel::hard;
  } else if (used >= soft_ || (was_soft && used >= soft_ - hysteresis_)) {
    level_ = MemoryLevel::soft;
  } else {
    level_ = MemoryLevel::normal;
  }
  return level_;
}

}  // namespace fanfare::gateway
