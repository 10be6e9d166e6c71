#pragma once
// An event of a stream as its hub topic carries it. All loops share these bytes; each form of the event for clients
// (forms.h) is built from them.
//
//   byte 0      8       16      24       32      40      48       56       60     64
//        | kind | serial | base  | seconds | epoch | offset | data   | patch  | crc  | data, patch
//                                                             size     size
//
// Numbers are little-endian. Records of a relayed stream travel between instances; the upper bytes of `kind` have their version.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/shared_bytes.h"
#include "fanfare/topic.h"

namespace fanfare::streams {

struct Record {
  enum class Kind : std::uint8_t { value, interrupted, restored, paused };

  Kind kind = Kind::value;
  std::uint64_t serial = 0;  // of a value: counted by its publisher, from 1
  // The value that `patch` is against; zero: there is no patch.
  std::uint64_t base = 0;
  std::int64_t seconds = 0;  // since 1970
  Position position = {};    // set by with_position()
  std::uint32_t checksum = 0;
  // Of a value: JSON. Of an interruption: the reason, plain text. Of a pause: when it began, as decimal digits.
  std::string_view data;
  std::string_view patch;  // JSON

  bool is_value() const { return kind == Kind::value; }
};

// What it has beside data and patch.
inline constexpr std::size_t kRecordHeadBytes = 64;
SharedBytes write_record(const Record& record);
// A copy that stands at the position: TopicSetup::encode of streams.
SharedBytes with_position(Position position, const SharedBytes& record);
// Whether the bytes are from write_record(), of this version. For those that come from a relay.
bool is_record(const SharedBytes& bytes);
// The views point into the bytes, which must be from write_record().
Record read_record(const SharedBytes& bytes);

}  // namespace fanfare::streams
