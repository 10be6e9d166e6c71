#pragma once
// Containers for the objects of the random test of the public API.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace fanfare::api {

inline std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::stoull(text);
}

// Counters that must be zero at the end.
struct Balance {
  std::atomic<int> servers = 0;
  std::atomic<int> sessions = 0;  // opened and not closed
  std::atomic<int> tasks = 0;     // neither run nor destroyed
  std::atomic<int> clients = 0;   // including their handlers, which are destroyed at the end of their threads
};

// A shared object that any user may release. The last user destroys it.
template <typename T>
class Slot {
 public:
  std::shared_ptr<T> get() const {
    const std::scoped_lock lock(mutex_);
    return object_;
  }
  std::shared_ptr<T> take(std::shared_ptr<T> next = nullptr) {
    const std::scoped_lock lock(mutex_);
    return std::exchange(object_, std::move(next));
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<T> object_;
};

// Objects that must not be destroyed where they are released: a server in its own handlers, or a client in
// the handlers of another one that waits for it. The main thread destroys them.
class Graves {
 public:
  void dig(std::function<void()> grave) {
    const std::scoped_lock lock(mutex_);
    graves_.push_back(std::move(grave));
  }
  void bury() {
    std::vector<std::function<void()>> graves;
    {
      const std::scoped_lock lock(mutex_);
      graves.swap(graves_);
    }
    for (const auto& grave : graves) grave();
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> graves_;
};

}  // namespace fanfare::api
