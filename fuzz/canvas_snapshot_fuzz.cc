// The snapshot of a shared canvas room, as an instance gets it from the broker: a copy is loaded or refused. One that was loaded is saved
// and loaded again with the same bytes, and takes what its users may do next. The parts of a snapshot come back whole, and broken ones
// are ignored.
//
// The first byte selects the room, with a palette or with 24 bits, and whether the rest is a copy or parts. A copy is given its first
// bytes (its format and room), parts are each after two bytes of length.

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "canvas/replica.h"
#include "canvas/room.h"
#include "canvas/wire.h"
#include "canvas_copy.h"
#include "canvasserver/snapshot_parts.h"

namespace {

using namespace fanfare;
using namespace fanfare::canvas;
using fanfare::canvasserver::Snapshot;
using fanfare::canvasserver::SnapshotReader;

// What may come next in the log: users draw, take back and leave, their instances are gone, and a moderator bans one.
SharedBatch next_batch(const Replica& copy, InstanceId instance) {
  SharedBatch batch{.epoch = 1, .instance = instance, .number = copy.last_batch(instance) + 1, .time_ms = 5};
  for (const UserNumber user : copy.users_of(instance)) {
    batch.requests.emplace_back(SharedDraw{.user = user, .pixels = {{.x = 1, .y = 1, .colour = 1}}});
    batch.requests.emplace_back(SharedUndo{.user = user, .count = 3});
    batch.requests.emplace_back(SharedBan{.moderator = user, .user = user, .seconds = 9});
    batch.requests.emplace_back(SharedLeave{.user = user});
  }
  batch.requests.emplace_back(SharedJoin{.identity = "a", .name = "b", .payer = "c"});
  return batch;
}

void run_copy(const RoomSpec& spec, Bytes rest) {
  std::vector<std::uint8_t> bytes;
  WireWriter out(bytes);
  out.u8(1);
  out.u64(hash_of(spec));
  out.bytes(rest);
  FuzzedCopy copy(spec);
  if (!copy.replica.load(bytes)) return;
  const std::vector<std::uint8_t> saved = copy.saved();
  FuzzedCopy same(spec);
  FANFARE_CHECK(same.replica.load(saved));
  FANFARE_CHECK(same.saved() == saved);
  std::set<InstanceId> instances{7};
  copy.replica.for_each_with_users([&](InstanceId instance) { instances.insert(instance); });
  for (const InstanceId instance : instances) {
    if (copy.replica.last_batch(instance) == UINT64_MAX) continue;
    const SharedBatch batch = next_batch(copy.replica, instance);
    FANFARE_CHECK(copy.replica.apply(batch, 100).is_new);
    FANFARE_CHECK(same.replica.apply(batch, 100).is_new);
  }
  FANFARE_CHECK(copy.saved() == same.saved());
}

void run_parts(Bytes bytes) {
  SnapshotReader reader;
  for_each_piece(bytes, [&](Bytes part) { reader.add(part); });
  const auto found = reader.latest();
  if (!found) return;
  FANFARE_CHECK(found->copy.size() <= canvasserver::kSnapshotBytesMax);
  SnapshotReader again;
  for (const SharedBytes& part : canvasserver::parts_of(*found)) again.add(part.view());
  const auto same = again.find(found->head.id);
  FANFARE_CHECK(same && same->copy == found->copy && same->head.is_based == found->head.is_based);
  FANFARE_CHECK(same->head.position == found->head.position);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  if (bytes.empty() || bytes.size() > 4096) return 0;
  if ((bytes[0] & 2U) != 0) {
    run_parts(bytes.subspan(1));
  } else {
    run_copy(fuzzed_spec(20, 4, (bytes[0] & 1U) != 0), bytes.subspan(1));
  }
  return 0;
}
