#pragma once
// What instances that share a room write into its log (decision 0587): batches of requests that were accepted, and the entry with
// which an epoch of the log begins.
//
//   batch  | format u8 = 1 | 0 | epoch u64 | instance u64 | number varint | time u64 (ms) | count varint | count x request |
//   base   | format u8 = 1 | 1 | epoch u64 | snapshot u64 (0: a blank canvas) | room u64 (hash_of the specification) |
//
// Numbers are as in wire.h. Colours have as many bytes as in the protocol.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "canvas/past.h"
#include "canvas/place.h"
#include "canvas/tick.h"

namespace fanfare::canvas {

// Of a process that shares rooms: a random number, never 0.
using InstanceId = std::uint64_t;

// The user is now at the instance of the batch.
struct SharedJoin {
  std::string identity;  // see Users::join()
  std::string name;
  std::string payer;
  std::uint32_t colour = 0;  // of the cursor
  UserNumber number = 0;     // that the user had before; 0: none
};
struct SharedLeave {
  UserNumber user = 0;
};
struct SharedDraw {
  UserNumber user = 0;
  std::vector<Pixel> pixels;
};
struct SharedUndo {
  UserNumber user = 0;
  std::uint32_t count = 1;
};
// A moderator's event, and a part of what it restores: the pixels of a place are in one part.
struct SharedRestore {
  ModerationEvent event;
  Restoration found;
  bool is_more = false;  // not the first part
};
struct SharedBan {
  UserNumber moderator = 0;
  UserNumber user = 0;
  std::uint32_t seconds = 0;
};
// Nothing was heard of an instance whose last batch is this one: its users have left.
struct SharedGone {
  InstanceId instance = 0;
  std::uint64_t last_batch = 0;
};

using SharedRequest =
    std::variant<SharedJoin, SharedLeave, SharedDraw, SharedUndo, SharedRestore, SharedBan, SharedGone>;

struct SharedBatch {
  std::uint64_t epoch = 0;  // of the log, for which it was made
  InstanceId instance = 0;
  std::uint64_t number = 0;  // of the instance, from 1
  std::int64_t time_ms = 0;  // of the instance's clock, since 1970-01-01 UTC
  std::vector<SharedRequest> requests;
};

struct SharedBase {
  std::uint64_t epoch = 0;
  std::uint64_t snapshot = 0;
  std::uint64_t room = 0;
};

enum class SharedProblem : std::uint8_t {
  malformed,       // not written by an instance
  unknown_format,  // by one of another version
};

// About how many bytes a request takes in a batch.
std::size_t bytes_of(const SharedRequest& request);
std::vector<std::uint8_t> encode(const SharedBatch& batch, const RoomSpec& spec);
std::vector<std::uint8_t> encode(const SharedBase& base);
std::expected<std::variant<SharedBatch, SharedBase>, SharedProblem> decode_entry(Bytes entry,
                                                                                 const RoomSpec& spec);
// Equal for rooms of the same size and colours, whatever their names are.
std::uint64_t hash_of(const RoomSpec& spec);

}  // namespace fanfare::canvas
