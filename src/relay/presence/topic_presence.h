#pragma once
// What one instance does for the presence of one topic (docs/decisions/0586-presence-is-a-log-that-every-instance-folds.md): reads the records
// of all, writes its own members, and tells the changes of all if it is the teller. No sockets, one thread.

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "pubsub/relayed_presence.h"
#include "relay/presence/log_writer.h"
#include "relay/presence/table.h"
#include "relay/presence/teller.h"

namespace fanfare::relay {

class TopicPresence {
 public:
  TopicPresence(const Teller::World& world, std::string topic, std::uint64_t instance,
                pubsub::RelayedPresenceSetup setup);
  TopicPresence(const TopicPresence&) = delete;
  TopicPresence& operator=(const TopicPresence&) = delete;

  // The members of this instance that came and went.
  void wish(const PresenceChange& change);
  // What the broker has, in the order of its stream. `log` is empty for the told log.
  void take(std::optional<MemberLog> log, std::uint64_t sequence, const PresenceRecord& record);
  // Whether everything that the broker had when the reading began was taken.
  void set_current(bool is_current);
  // The reading begins again with the first record.
  void reload();

  // Does what is due. With Progress::reload, the caller reads again.
  Progress advance();
  // When advance() has something to do, if nothing else happens.
  Instant due() const { return due_; }
  void wake() { due_ = Instant{}; }
  // This instance has no members, everything was told, and it has said so: the topic need not be read any more. Then, or when it was removed:
  bool may_close() const { return may_close_; }
  void close();
  const PresenceTable& table() const { return table_; }

  // Without members, an instance reads the topic on for this long.
  static constexpr Duration kStayFor = std::chrono::seconds(30);

 private:
  Progress write_own(Instant now);
  void leave_if_quiet(Instant now);
  void begin_again();
  void forget();
  void report();
  void wait_until(Instant due) { due_ = std::min(due_, due); }

  const Teller::World world_;
  const std::string topic_;
  const pubsub::RelayedPresenceSetup setup_;
  PresenceTable table_;
  Teller teller_{world_, topic_, setup_};
  LogWriter writer_{world_.broker};
  std::optional<NameSet> before_;  // what was reported before a reload, until there is another table
  bool is_current_ = false;
  bool may_close_ = false;
  Instant due_{};
  std::optional<Instant> quiet_since_;
  std::size_t instances_ = 0;  // as reported, as is the next one
  std::uint64_t gone_ = 0;
};

}  // namespace fanfare::relay
