#pragma once
// The records of the presence of a topic, as the broker keeps them
// (docs/decisions/0586-presence-is-a-log-that-every-instance-folds.md). Numbers are big-endian.
//
//   kind 1 | event 8 | epoch 8 | offset 8 | part 4 | parts 4 | gone: count 4, each 12 | joined: count 4, names | left: count 4, names
//   name: size 2, bytes
//
//   in an instance's log   change  joined, left          base  part, parts, joined         bye
//   in the told log        tell    event, position, joined, left        done  event        gone  gone        base  and gone

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "fanfare/topic.h"

namespace fanfare::relay {

// One log of members. An instance that was counted as gone begins another one.
struct MemberLog {
  std::uint64_t instance = 0;  // a random number for each start of a process
  std::uint32_t turn = 0;
  auto operator<=>(const MemberLog&) const = default;
};

struct PresenceRecord {
  enum class Kind : std::uint8_t {
    change = 'c',  // members that came and went at the instance
    base = 'b',    // one part of the whole set, which replaces what was read before the last part
    bye = 'x',     // the instance has no members and does not read the topic any more
    tell = 't',    // an event will report this change
    done = 'd',    // it is in the topic
    gone = 'g',    // these logs count no more
  };
  Kind kind = Kind::change;
  std::uint64_t event = 0;
  Position at = {};  // the end of the topic before the event
  std::uint32_t part = 0;
  std::uint32_t parts = 0;
  std::vector<MemberLog> gone = {};
  PresenceChange change = {};
};

// Names of one record, with their sizes: a set that is larger takes several.
inline constexpr std::size_t kRecordNameBytesMax = std::size_t{64} << 10;
inline constexpr std::size_t kNameOverhead = 2;

std::string encode(const PresenceRecord& record);
// Empty: it is none.
std::optional<PresenceRecord> decode(Bytes bytes);

// "INSTANCE-TURN", the end of a subject.
std::string to_text(MemberLog log);
std::optional<MemberLog> member_log_of(std::string_view text);

}  // namespace fanfare::relay
