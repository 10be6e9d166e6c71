#pragma once
// Ends objects whose destructors wait, such as for a disk or a collector, each on a thread of its own. So whoever drops the last
// reference to one, which may be a loop, does not wait, and neither does the end of one for that of another.

#include <condition_variable>
#include <cstddef>
#include <list>
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
    return {shared, [this, ending = begin(std::move(holder))](Object*) { end(*ending); }};
  }
  // Those that are in use, or have not ended yet. Any thread.
  std::size_t count() const;

 private:
  // Made together with the object, as its thread is, so that its end needs no memory and cannot fail.
  struct Ending {
    Ending() = default;
    virtual ~Ending() = default;
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;
    virtual void destroy() = 0;
    bool is_over = false;  // the last reference is gone
    bool has_ended = false;
    std::thread thread;
  };
  template <typename Object>
  struct Holder final : Ending {
    explicit Holder(std::unique_ptr<Object> its_object) : object(std::move(its_object)) {}
    void destroy() override { object.reset(); }
    std::unique_ptr<Object> object;
  };

  Ending* begin(std::unique_ptr<Ending> ending);
  void end(Ending& ending);
  void run(Ending& ending);
  void join_ended();

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::list<std::unique_ptr<Ending>> all_;
};

}  // namespace fanfare::gateway
