#pragma once
// What a good configuration needs of this machine: certificates that can be loaded, a group, and the directories of the files
// that the server writes.

#include <string>
#include <vector>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

struct PlaceProblem {
  // A warning: another user may start the server, or a service manager may make the directory of sockets at the start.
  bool is_warning = false;
  std::string text;  // the key, the value, and what to do
};

std::vector<PlaceProblem> find_place_problems(const ServePlan& plan);
// Without the warnings: with one of these, the server would not start.
std::vector<std::string> problems_with_places(const ServePlan& plan);

}  // namespace fanfare::gateway
