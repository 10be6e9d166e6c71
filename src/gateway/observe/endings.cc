#include "gateway/observe/endings.h"

#include <algorithm>

namespace fanfare::gateway {

Endings::~Endings() {
  for (const auto& ending : all_) ending->thread.join();
}

std::size_t Endings::count() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(all_, [](const auto& ending) { return !ending->has_ended; }));
}

Endings::Ending* Endings::begin(std::unique_ptr<Ending> ending) {
  join_ended();
  Ending& begun = *ending;
  begun.thread = std::thread([this, &begun] { run(begun); });
  const std::scoped_lock lock(mutex_);
  return all_.emplace_back(std::move(ending)).get();
}

void Endings::end(Ending& ending) {
  {
    const std::scoped_lock lock(mutex_);
    ending.is_over = true;
  }
  changed_.notify_all();
}

void Endings::run(Ending& ending) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ending.is_over; });
  lock.unlock();
  ending.destroy();
  lock.lock();
  ending.has_ended = true;
}

void Endings::join_ended() {
  const std::scoped_lock lock(mutex_);
  std::erase_if(all_, [](const auto& ending) {
    if (ending->has_ended) ending->thread.join();
    return ending->has_ended;
  });
}

}  // namespace fanfare::gateway
