#pragma once
// How a process protects itself: a ceiling on its memory, and control of overload (docs/defence.md). Plain data.

#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace fanfare::gateway {

struct MemoryPlan {
  std::uint64_t bytes_max = 0;  // the ceiling; zero: that of the control group, or else the machine's memory
  std::uint32_t soft_percent = 80;  // of the ceiling: from here on new connections are refused
  std::uint32_t hard_percent = 90;  // from here on all new work is, and the slowest clients are closed

  bool operator==(const MemoryPlan&) const = default;
};

struct OverloadPlan {
  bool enabled = true;
  // New work is refused if everything had more than this much work ahead of it, over all of the interval.
  Duration delay_target = std::chrono::milliseconds(5);
  Duration delay_interval = std::chrono::milliseconds(500);

  bool operator==(const OverloadPlan&) const = default;
};

struct DefencePlan {
  // Only for a gateway that is the whole process: memory and threads of a program that embeds one are its own.
  bool is_process = false;
  MemoryPlan memory = {};
  OverloadPlan overload = {};
  // The shortest time that refused clients are asked to wait: a random time from this to twice this.
  Duration retry_after = std::chrono::seconds(5);

  bool operator==(const DefencePlan&) const = default;
};

}  // namespace fanfare::gateway
