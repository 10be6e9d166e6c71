#pragma once
// Who is present at one topic: the records of all instances, folded. Whoever has folded the same records has the same table. No I/O;
// one thread.
//
//   wished   the members that this instance has; its log follows them
//   in       the members that some instance's log has
//   told     the members that the events of the topic have reported
//
// What differs is found by name as it changes: no step costs more than what has changed.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fanfare/topic.h"
#include "relay/presence/record.h"

namespace fanfare::relay {

using NameSet = std::set<std::string, std::less<>>;

// What is known of one subject.
struct RecordLog {
  std::uint64_t last = 0;   // the sequence of its last record; zero: there is none
  std::uint64_t base = 0;   // of the first record that is needed
  std::size_t names = 0;    // in the records behind the base
  std::size_t records = 0;  // the same
};

class PresenceTable {
 public:
  explicit PresenceTable(MemberLog self) : self_(self) {}

  // Records in the order of the stream.
  void take(MemberLog log, std::uint64_t sequence, const PresenceRecord& record);
  void take_told(std::uint64_t sequence, const PresenceRecord& record);
  void wish(std::string_view name, bool is_in);
  // Its log counts no more: another one begins. The wishes stay.
  void begin_again();

  MemberLog self() const { return self_; }
  bool is_gone(MemberLog log) const;
  const std::deque<MemberLog>& gone() const { return gone_; }
  struct KnownLog {
    MemberLog log;
    std::size_t members = 0;
    bool has_left = false;  // its instance does not read the topic any more
  };
  // Those that count, in order.
  std::vector<KnownLog> logs() const;
  const RecordLog& own_log() const;
  const NameSet& own_names() const;
  const NameSet& wished() const { return wished_; }
  const RecordLog& told_log() const { return told_log_; }
  NameSet told_names() const;
  // In the middle of a base of the told log.
  bool is_reading_told() const { return told_base_.next != 0; }
  std::size_t told_count() const { return told_count_; }

  // A `tell` without its `done`.
  const std::optional<PresenceRecord>& open_tell() const { return open_; }
  // What the next `tell` reports, sorted: as many as a record holds, and as there is room for so many members in all.
  PresenceChange untold(std::size_t members_max) const;
  bool has_untold(std::size_t members_max) const {
    return !to_leave_.empty() || (!to_join_.empty() && told_count_ < members_max);
  }
  // What this instance's log lacks, as many as a record holds.
  PresenceChange unwritten() const;
  bool has_unwritten() const { return !unwritten_.empty(); }
  // What was told since the last call; a name that came and went is not in it.
  PresenceChange take_news();

  static constexpr std::size_t kGoneKept = 64;

 private:
  struct Base {  // that is being read
    std::uint64_t first = 0;
    std::uint32_t next = 0;
    NameSet names;
  };
  struct Instance {
    NameSet names;
    RecordLog log;
    Base base;
    bool has_left = false;
  };
  struct Name {
    std::uint32_t logs = 0;
    bool is_told = false;
  };

  static void count(RecordLog& log, std::uint64_t sequence, const PresenceRecord& record);
  // Whether the base is whole now.
  static bool add_part(Base& base, RecordLog& log, std::uint64_t sequence, const PresenceRecord& record);
  void set_in(MemberLog log, Instance& instance, const std::string& name, bool is_in);
  void replace(MemberLog log, Instance& instance, const NameSet& names);
  void drop(MemberLog log);
  void set_told(const std::string& name, bool is_told);
  // Finds out anew whether it differs.
  void review(const std::string& name);
  void review_own(const std::string& name);

  MemberLog self_;
  std::map<MemberLog, Instance> instances_;
  std::deque<MemberLog> gone_;                   // the oldest first
  std::unordered_map<std::string, Name> names_;  // that are in or told
  NameSet to_join_;
  NameSet to_leave_;
  NameSet wished_;
  NameSet unwritten_;
  RecordLog told_log_;
  Base told_base_;
  std::optional<PresenceRecord> open_;
  std::size_t told_count_ = 0;
  std::map<std::string, bool, std::less<>> news_;  // whether it was told before
};

}  // namespace fanfare::relay
