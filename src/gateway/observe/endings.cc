#include "gateway/observe/endings.h"

namespace fanfare::gateway {

Endings::~Endings() {
  {
    const std::scoped_lock lock(mutex_);
    stops_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

std::size_t Endings::count() const {
  const std::scoped_lock lock(mutex_);
  return count_;
}

void Endings::begin() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  const std::scoped_lock lock(mutex_);
  ++count_;
}

void Endings::end(Ending* ending) {
  {
    const std::scoped_lock lock(mutex_);
    ending->next = std::exchange(waiting_, ending);
  }
  changed_.notify_one();
}

void Endings::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stops_ || waiting_ != nullptr; });
    if (waiting_ == nullptr) return;
    std::unique_ptr<Ending> ending(waiting_);
    waiting_ = ending->next;
    lock.unlock();
    ending.reset();
    lock.lock();
    --count_;
  }
}

}  // namespace fanfare::gateway
