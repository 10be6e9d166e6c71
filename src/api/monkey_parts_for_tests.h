#pragma once
// What the random test of the public API keeps its objects in.

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

// What must be zero at the end.
struct Balance {
  std::atomic<int> servers = 0;
  std::atomic<int> sessions = 0;  // opened and not closed
  std::atomic<int> tasks = 0;     // neither run nor destroyed
  std::atomic<int> clients = 0;   // with their handlers, which go at the end of their threads
};

// One object that many use and anyone may let go of: it goes with the last one who uses it.
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

// What cannot be destroyed where it is let go of: a server in its own handlers, a client in those of another
// that waits for it. The main thread does it.
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
