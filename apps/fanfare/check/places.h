#pragma once
// What a good configuration needs of this machine before the server starts: its group, and the directories of the files
// that it writes.

#include <string>
#include <vector>

#include "gateway/serve_plan.h"

namespace fanfare::app {

struct PlaceProblem {
  // A warning: another user may start the server, or a service manager may make the directory of sockets at the start.
  bool is_warning = false;
  std::string text;  // the key, the value, and what to do
};

std::vector<PlaceProblem> find_place_problems(const gateway::ServePlan& plan);

}  // namespace fanfare::app
