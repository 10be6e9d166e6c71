#pragma once
// Upgrades that other threads than the main one ask for.

#include <csignal>
#include <string>

#include "gateway/main_thread_requests.h"

namespace fanfare::gateway {

struct UpgradeReport {
  int pid = 0;          // of the process that has taken over; 0: none has
  std::string problem;  // then: why
};

class UpgradeRequests : public MainThreadRequests<UpgradeReport, SIGUSR2> {};

}  // namespace fanfare::gateway
