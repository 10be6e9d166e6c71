#pragma once
// Ends clients that take nothing. A client is watched while it is congested; one that takes no byte for the timeout is
// ended. Other clients are not affected; its slot, its subscriptions and its queued bytes become free. Loop thread.
//
// Pings do not find such a client: it may answer them without reading what came before, and Server-Sent Events have none.

#include <cstdint>
#include <unordered_map>

#include "base/time.h"
#include "net/loop.h"
#include "net/transport.h"

namespace fanfare::session {

// A connection that can be watched.
class SlowReader {
 public:
  virtual net::SendProgress send_progress() const = 0;
  // It took nothing for too long, and is not watched any more. May destroy it.
  virtual void end_as_too_slow() = 0;

 protected:
  ~SlowReader() = default;
};

class SlowWatch {
 public:
  // The loop must outlive this. A reader is ended after `timeout` to one and a quarter of it.
  SlowWatch(net::Loop& loop, Duration timeout) : loop_(loop), timeout_(timeout) {}
  SlowWatch(const SlowWatch&) = delete;
  SlowWatch& operator=(const SlowWatch&) = delete;
  ~SlowWatch();

  // From the next check on.
  void set_timeout(Duration timeout) { timeout_ = timeout; }
  // The reader must be removed before it is destroyed. Adding it again changes nothing.
  void add(SlowReader& reader);
  void remove(SlowReader& reader);

 private:
  struct Progress {
    std::uint32_t bytes = 0;
    Instant at;  // when it was found to have taken something
  };

  void check_later();
  void check();

  net::Loop& loop_;
  Duration timeout_;
  std::unordered_map<SlowReader*, Progress> readers_;
  bool is_planned_ = false;  // a check; only while there are readers
  net::TimerId timer_;
};

}  // namespace fanfare::session
