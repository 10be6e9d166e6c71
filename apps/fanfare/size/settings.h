#pragma once
// The limits to raise for a plan: of the kernel, as lines to copy, and of the configuration, as keys with values.

#include <string>
#include <vector>

#include "size/plan.h"

namespace fanfare::app {

// A stop spreads its closes over at most 0.7 of shutdownTimeout (docs/operations.md).
inline constexpr double kSpreadShare = 0.7;

std::vector<std::string> kernel_settings(const SizePlan& plan);
std::vector<std::string> configuration_settings(const SizeArguments& arguments, const SizePlan& plan);

}  // namespace fanfare::app
