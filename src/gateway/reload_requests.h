#pragma once
// Reloads that other threads than the main one ask for.

#include <csignal>
#include <string>
#include <vector>

#include "gateway/main_thread_requests.h"

namespace fanfare::gateway {

// One line for each entry; an error with its position: "file:line:column: what is wrong".
struct ReloadReport {
  bool applied = false;
  std::vector<std::string> changes;
  std::vector<std::string> needs_restart;
  std::vector<std::string> errors;
};

class ReloadRequests : public MainThreadRequests<ReloadReport, SIGHUP> {};

}  // namespace fanfare::gateway
