#pragma once
// Ends objects whose destructors wait, such as for a disk or a collector, on a thread of its own. So whoever drops the last
// reference to one, which may be a loop, does not wait.

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace fanfare::gateway {

class Endings {
 public:
  Endings() = default;
  Endings(const Endings&) = delete;
  Endings& operator=(const Endings&) = delete;
  // Returns when all have ended; nobody may have a reference any more.
  ~Endings();

  // The last reference may be dropped on any thread. One thread at a time.
  template <typename Object>
  std::shared_ptr<Object> share(std::unique_ptr<Object> object) {
    auto holder = std::make_unique<Holder<Object>>(std::move(object));
    Object* const shared = holder->object.get();
    begin();
    return {shared, [this, ending = holder.release()](Object*) { end(ending); }};
  }
  // Those that are in use, or have not ended yet. Any thread.
  std::size_t count() const;

 private:
  // Made together with the object, so that its end needs no memory.
  struct Ending {
    Ending() = default;
    virtual ~Ending() = default;
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;
    Ending* next = nullptr;
  };
  template <typename Object>
  struct Holder final : Ending {
    explicit Holder(std::unique_ptr<Object> its_object) : object(std::move(its_object)) {}
    std::unique_ptr<Object> object;
  };

  void begin();
  void end(Ending* ending);
  void run();

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Ending* waiting_ = nullptr;
  std::size_t count_ = 0;
  bool stops_ = false;
  std::thread thread_;  // from the first share() on
};

}  // namespace fanfare::gateway
