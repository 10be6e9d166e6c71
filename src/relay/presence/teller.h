#pragma once
// Tells the changes of one topic's members, if this instance is the one to do it. No sockets, one thread.
//
//   tell (what, and where the topic ends)  ->  the event, in the topic  ->  done

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/shared_bytes.h"
#include "base/time.h"
#include "pubsub/relayed_presence.h"
#include "relay/presence/broker.h"
#include "relay/presence/log_writer.h"
#include "relay/presence/peers.h"
#include "relay/presence/table.h"

namespace fanfare::relay {

class Teller {
 public:
  // All outlive this.
  struct World {
    PresenceBroker& broker;
    Peers& peers;
    Random& random;
    Clock& clock;
  };
  Teller(World world, const std::string& topic, const pubsub::RelayedPresenceSetup& setup)
      : world_(world), topic_(topic), setup_(setup), writer_(world.broker) {}

  // A record of the told log was taken.
  void note(const PresenceRecord& record, Instant now);
  // The table was read anew. `remembered`: what had been told before, in case the broker does not know it any more.
  void reloaded(const NameSet& remembered, Instant now);
  // Does what is due.
  Progress advance(const PresenceTable& table, Instant now);
  // When there is something to do, if nothing else happens.
  Instant due() const { return due_; }
  // Whether the teller has nothing to do.
  bool is_quiet() const { return !work_since_; }
  // Instances that this one has counted as gone.
  std::uint64_t gone() const { return gone_; }

  // After which another instance does what the teller does not.
  static constexpr Duration kAnyoneAfter = std::chrono::seconds(5);
  // After the records were read anew, others may have to write theirs again: nothing is told for so long.
  static constexpr Duration kHoldFor = std::chrono::seconds(5);
  // Attempts to publish an event at a place in the topic that is free; then it has its id alone.
  static constexpr int kFencedMax = 16;
  // Parts of the topic that are searched in one step.
  static constexpr int kSearchesMax = 8;

 private:
  // The event of the open `tell`.
  struct Publication {
    std::uint64_t event = 0;
    SharedBytes payload;
    StreamState end;             // of the topic, as known
    std::uint64_t searched = 0;  // the event is not in the topic up to there
    int attempts = 0;
    bool needs_state = false;
    bool is_over = false;  // it is in the topic, or cannot be
  };

  bool has_work(const PresenceTable& table, Instant now);
  bool is_teller(const PresenceTable& table, Instant now) const;
  bool needs_base(const PresenceTable& table) const;
  Instant tell_due() const;
  std::vector<PresenceTable::KnownLog> silent_logs(const PresenceTable& table) const;
  Progress tell_gone(const PresenceTable& table, const std::vector<PresenceTable::KnownLog>& silent,
                     Instant now);
  Progress tell_change(const PresenceTable& table, Instant now);
  Progress write_base(const PresenceTable& table, Instant now);
  Progress finish(const PresenceTable& table, const PresenceRecord& open, Instant now);
  void begin_publication(const PresenceRecord& open);
  Progress publish();
  // good: it was searched to the end, or found.
  Progress search();
  void wait_until(Instant due) { due_ = std::min(due_, due); }

  const World world_;
  const std::string& topic_;
  const pubsub::RelayedPresenceSetup& setup_;
  LogWriter writer_;
  NameSet remembered_;
  Publication publication_;
  std::uint64_t own_event_ = 0;  // of the last `tell` of this instance
  Instant due_{};
  std::optional<Instant> untold_since_;
  bool is_urgent_ = false;  // an instance is gone: what that changes has waited already
  bool has_more_ = false;   // the last `tell` was full
  Instant last_tell_ = kLongAgo;
  Instant hold_until_{};
  std::optional<Instant> work_since_;
  std::uint64_t work_at_ = 0;  // the told log's end at that time
  std::uint64_t gone_ = 0;
};

}  // namespace fanfare::relay
