#pragma once
// One instance's copy of a room that several instances share: the room after the entries of its log, in their order (decision
// 0587). What apply() does depends on the state and on the batch alone, so copies that have applied the same batches are
// equal: versions, hashes, user numbers, and what an undo finds. No clock; one thread.
//
//   Replica copy(room);                       // or load() of a snapshot
//   Replica::Applied done = copy.apply(batch, size);   // each batch is a tick
//
// The room must have shared_limits().

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/bytes.h"
#include "canvas/room.h"
#include "canvas/shared_batch.h"

namespace fanfare::canvas {

// Limits of what a snapshot has; the same on every instance.
inline constexpr std::size_t kSharedUsersMax = 50'000;
inline constexpr std::size_t kSharedUndoPixelsMax = 65'536;
// Snapshots are due after so many entries of the log, or bytes of them.
inline constexpr std::uint64_t kSnapshotEntries = 4096;
inline constexpr std::uint64_t kSnapshotBytes = std::uint64_t{8} << 20;
// Instances without users whose last batch is remembered.
inline constexpr std::size_t kQuietInstancesMax = 1024;

// Those of a room that is shared: what decides about the state is not configured.
Limits shared_limits(Limits limits);

class Replica {
 public:
  explicit Replica(Room& room) : room_(room) {}
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  struct Result {
    UserNumber user = 0;      // of a join: the user's number; 0: there are kSharedUsersMax
    std::uint32_t count = 0;  // pixels accepted, places that changed
    std::optional<ProtocolError> error = {};
  };
  struct Applied {
    bool is_new = false;          // otherwise it was applied before, and nothing has happened
    std::vector<Result> results;  // one for each request
    Tick tick;
    bool is_snapshot_due = false;  // the instance of the batch saves the state
  };
  // `bytes`: of the entry.
  Applied apply(const SharedBatch& batch, std::size_t bytes);

  // The number of the instance's last batch; 0: there is none.
  std::uint64_t last_batch(InstanceId instance) const;
  // The users that are at an instance.
  const std::set<UserNumber>& users_of(InstanceId instance) const;
  // Calls visit(instance) for each one that has users.
  template <typename Visit>
  void for_each_with_users(Visit visit) const {
    for (const auto& [id, instance] : instances_) {
      if (!instance.users.empty()) visit(id);
    }
  }
  // The time of the last batch: never less than that of the one before.
  std::int64_t time_ms() const { return time_ms_; }

  // Equal copies give equal bytes. load() needs a new room; false: they are not those of a copy of this room.
  void save(std::vector<std::uint8_t>& out) const;
  bool load(Bytes bytes);

 private:
  struct Instance {
    std::uint64_t last_batch = 0;
    std::uint64_t seen = 0;  // the number of the entry that was its last one
    std::set<UserNumber> users;
  };

  Result apply_one(InstanceId from, const SharedRequest& request);
  Result join(InstanceId from, const SharedJoin& join);
  void leave(InstanceId from, UserNumber user);
  void forget_quiet();
  Actor moderator(UserNumber user) const;
  bool load_instances(WireReader& in);
  bool has_all_users() const;

  Room& room_;
  std::map<InstanceId, Instance> instances_;
  std::uint64_t entries_ = 0;
  std::uint64_t entries_since_ = 0;  // the last snapshot
  std::uint64_t bytes_since_ = 0;
  std::int64_t time_ms_ = 0;
};

}  // namespace fanfare::canvas
