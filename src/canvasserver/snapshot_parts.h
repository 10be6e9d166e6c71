#pragma once
// Snapshots of a shared room at the broker: compressed, in parts that fit into its messages, and put together again. Pure.
//
//   part   | format u8 = 1 | snapshot u64 | part varint | parts varint | bytes |
//   whole  | is based u8 | epoch u64 | offset u64 | size u64 | deflate (zlib) of the copy (canvas::Replica::save) |

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/shared_bytes.h"
#include "fanfare/topic.h"

namespace fanfare::canvasserver {

// A copy inflated is never longer than this.
inline constexpr std::size_t kSnapshotBytesMax = std::size_t{96} << 20;

struct SnapshotHead {
  std::uint64_t id = 0;  // random, never 0
  // False: the state with which an instance proposes to begin the epoch (canvas::SharedBase).
  bool is_based = false;
  Position position;  // the copy has everything up to there
};

struct Snapshot {
  SnapshotHead head;
  std::vector<std::uint8_t> copy;
};

// Empty: it is longer than kSnapshotBytesMax.
std::vector<SharedBytes> parts_of(const Snapshot& snapshot);

class SnapshotReader {
 public:
  // Parts come in the order in which they were stored; those of several snapshots may be mixed. What is malformed is ignored. Returns the
  // position of a snapshot that is complete with this part, and damaged: it is ignored too, so that those before it are still there.
  std::optional<Position> add(Bytes part);
  // Without an id: the latest snapshot of the last epoch; otherwise the one with this id. Only complete and intact ones count.
  std::optional<Snapshot> latest() const;
  std::optional<Snapshot> find(std::uint64_t id) const;

 private:
  struct Parts {
    std::uint64_t next = 0;
    std::uint64_t count = 0;
    std::vector<std::uint8_t> bytes;
  };
  struct Whole {
    SnapshotHead head;
    std::vector<std::uint8_t> bytes;  // deflated
    std::size_t size = 0;
  };

  std::optional<Position> finish(std::uint64_t id, std::vector<std::uint8_t> bytes);
  static bool is_intact(Whole& whole);
  static std::optional<Snapshot> inflated(const Whole& whole);

  std::map<std::uint64_t, Parts> open_;
  std::vector<Whole> whole_;  // in the order in which they were completed; of each epoch few
};

}  // namespace fanfare::canvasserver
