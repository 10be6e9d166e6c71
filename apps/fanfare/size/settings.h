#pragma once
// The limits to raise for a plan: of the kernel, as lines to copy, and of the configuration, as keys with values.

#include <string>
#include <vector>

#include "size/plan.h"

namespace fanfare::app {

std::vector<std::string> kernel_settings(const SizePlan& plan);
std::vector<std::string> configuration_settings(const SizeArguments& arguments, const SizePlan& plan);

}  // namespace fanfare::app
