#pragma once
// The presence of topics over all instances, as a relay offers it (Relay::presence()).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/shared_bytes.h"
#include "base/time.h"
#include "fanfare/topic.h"

namespace fanfare::pubsub {

// What has changed for one topic since the last report.
struct PresenceReport {
  PresenceChange change = {};  // that was told in the topic
  std::size_t instances = 0;   // now: that have members, this one included
  std::uint64_t gone = 0;      // instances that this one counted as gone, in all
  bool is_over = false;        // this instance does not follow the topic any more: nobody is known
};

struct RelayedPresenceSetup {
  Duration interval = std::chrono::seconds(1);
  std::size_t members_max = 0;
  // The payload of an event; left out or empty: none. On a thread of the relay, again after a failure, and on whichever instance
  // publishes the event.
  std::function<SharedBytes(const PresenceChange&)> describe = {};
  // On the same thread, until the relay has stopped or unwatch() was called and what it was doing is over.
  std::function<void(const PresenceReport&)> report = {};
};

// Any thread. Calls for one topic come in order. `id` grows from one topic of a name to the next; what comes with an earlier one has no
// effect.
class RelayedPresence {
 public:
  virtual void watch(std::string_view topic, std::uint64_t id, RelayedPresenceSetup setup) = 0;
  // The members of this instance that came and went.
  virtual void change(std::string_view topic, std::uint64_t id, PresenceChange change) = 0;
  // The topic was removed: this instance has no members of it.
  virtual void unwatch(std::string_view topic, std::uint64_t id) = 0;

 protected:
  ~RelayedPresence() = default;
};

}  // namespace fanfare::pubsub
