#pragma once
// Writes the records of one subject, each behind the last one that was read. Nothing that was written counts before it is read again, so an
// answer that was lost does no harm. No sockets, one thread.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "relay/presence/broker.h"
#include "relay/presence/table.h"

namespace fanfare::relay {

enum class Progress : std::uint8_t {
  good,
  no_answer,  // the broker is not asked more at the moment
  reload,     // what is read does not fit what was written: it must be read again from the first record
};

class LogWriter {
 public:
  explicit LogWriter(PresenceBroker& broker) : broker_(broker) {}

  // False: wait until due(), or for what is read.
  bool may_write(const RecordLog& log, Instant now) const {
    return now >= state_.retry_at && (log.last >= state_.awaited || now >= state_.read_until);
  }
  Instant due() const { return state_.retry_at; }
  // Whether what was stored does not come.
  bool is_lost(const RecordLog& log, Instant now) const {
    return log.last < state_.awaited && now >= state_.read_until;
  }
  Progress append(const PresenceSubject& subject, const RecordLog& log, const PresenceRecord& record,
                  Instant now);
  // The whole set, in as many records as it takes; then deletes what was before it.
  Progress write_base(const PresenceSubject& subject, const RecordLog& log, const NameSet& names,
                      const std::vector<MemberLog>& gone, Instant now);
  // Behind a reload.
  void forget() { state_ = State(); }

  // Whether the log is so much longer than its set that it is written anew.
  static bool is_long(const RecordLog& log, std::size_t names) {
    return log.names + log.records > std::max(kLongMin, 2 * names);
  }

  static constexpr std::size_t kLongMin = 512;
  static constexpr Duration kRetryAfter = std::chrono::milliseconds(100);
  static constexpr Duration kReadWithin = std::chrono::seconds(5);
  static constexpr int kRefusalsMax = 20;

 private:
  struct State {
    std::uint64_t awaited = 0;  // was stored, and is to be read
    Instant read_until{};
    Instant retry_at{};
    std::uint64_t refused_after = 0;
    int refusals = 0;
  };

  Progress note(PresenceBroker::Stored stored, std::uint64_t after, Instant now);

  PresenceBroker& broker_;
  State state_;
};

}  // namespace fanfare::relay
