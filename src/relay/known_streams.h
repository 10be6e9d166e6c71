#pragma once
// Which streams of the broker are known to have existed. One that is gone is not created again at once: nats-server (2.9.10) says that a
// stream is gone before it has removed its files, and removes those of a new stream of the same name with them. Then it acknowledges
// what is published there and never delivers it. Seen in half of all attempts without a pause, and in none with 50 ms.
// No I/O; one thread.

#include <algorithm>
#include <map>
#include <string>

#include "base/time.h"

namespace fanfare::relay {

class KnownStreams {
 public:
  // It is there, or was there some time ago.
  void seen(const std::string& stream) {
    if (const auto found = known_.find(stream); found != known_.end()) {
      found->second = kThere;
      return;
    }
    if (known_.size() >= kKnownMax) known_.erase(known_.begin());
    known_.emplace(stream, kThere);
  }
  // It is not there. Whether it may be created: it was never seen, or has been gone for kWait.
  bool may_create(const std::string& stream, Instant now) {
    const auto found = known_.find(stream);
    if (found == known_.end()) return true;
    found->second = std::min(found->second, now);
    return now - found->second >= kWait;
  }

  static constexpr Duration kWait = std::chrono::seconds(1);
  // One more, and another one is created again at once if it is deleted.
  static constexpr std::size_t kKnownMax = 65'536;
  // Why nothing is created.
  static constexpr const char* kIsGone =
      "it was deleted, and is created again when it has been gone for a second";

 private:
  static constexpr Instant kThere = Instant::max();
  std::map<std::string, Instant> known_;  // since when it is gone
};

}  // namespace fanfare::relay
