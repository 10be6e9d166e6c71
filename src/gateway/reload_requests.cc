#include "gateway/reload_requests.h"

#include <unistd.h>

#include <csignal>
#include <utility>

namespace fanfare::gateway {

void ReloadRequests::ask(Done done) {
  {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(done));
  }
  ::kill(::getpid(), SIGHUP);
}

std::vector<ReloadRequests::Done> ReloadRequests::take() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(waiting_, {});
}

}  // namespace fanfare::gateway
