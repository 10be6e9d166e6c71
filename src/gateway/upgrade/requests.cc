#include "gateway/upgrade/requests.h"

#include <unistd.h>

#include <csignal>
#include <utility>

namespace fanfare::gateway {

void UpgradeRequests::ask(Done done) {
  {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(done));
  }
  ::kill(::getpid(), SIGUSR2);
}

std::vector<UpgradeRequests::Done> UpgradeRequests::take() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(waiting_, {});
}

}  // namespace fanfare::gateway
