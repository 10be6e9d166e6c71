// What instances that share a canvas room put to the broker for each other (canvas::decode_entry): each entry is read, or refused with
// one of two problems. What is read is written again with the same meaning, and two copies of the room that apply it are equal, also
// if one of them was saved and loaded in between.
//
// The first byte selects the room: with a palette or with 24 bits. Then entries follow, each after two bytes of length.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "canvas/replica.h"
#include "canvas/room.h"
#include "canvas/shared_batch.h"
#include "canvas_copy.h"

namespace {

using namespace fanfare;
using namespace fanfare::canvas;

RoomSpec spec_of(bool has_palette) {
  return fuzzed_spec(300, 20, has_palette);
}

class World {
 public:
  explicit World(bool has_palette)
      : has_palette_(has_palette),
        one_(std::make_unique<FuzzedCopy>(spec_of(has_palette))),
        other_(std::make_unique<FuzzedCopy>(spec_of(has_palette))) {}

  void run(Bytes entry) {
    const RoomSpec& spec = one_->room.spec();
    const auto decoded = decode_entry(entry, spec);
    if (!decoded) return;
    if (const auto* const base = std::get_if<SharedBase>(&*decoded)) {
      FANFARE_CHECK(std::ranges::equal(encode(*base), entry));
      return;
    }
    const auto& batch = std::get<SharedBatch>(*decoded);
    const std::vector<std::uint8_t> again = encode(batch, spec);
    FANFARE_CHECK(again.size() <= entry.size());
    const auto same = decode_entry(again, spec);
    FANFARE_CHECK(same && encode(std::get<SharedBatch>(*same), spec) == again);
    apply(batch, std::get<SharedBatch>(*same), entry.size());
  }

  void check() {
    const std::vector<std::uint8_t> saved = one_->saved();
    FANFARE_CHECK(saved == other_->saved());
    auto loaded = std::make_unique<FuzzedCopy>(spec_of(has_palette_));
    FANFARE_CHECK(loaded->replica.load(saved));
    FANFARE_CHECK(loaded->saved() == saved);
    other_ = std::move(loaded);
  }

 private:
  void apply(const SharedBatch& batch, const SharedBatch& same, std::size_t bytes) {
    const Replica::Applied mine = one_->replica.apply(batch, bytes);
    const Replica::Applied its = other_->replica.apply(same, bytes);
    FANFARE_CHECK(mine.is_new == its.is_new && mine.is_snapshot_due == its.is_snapshot_due);
    FANFARE_CHECK(mine.results.size() == (mine.is_new ? batch.requests.size() : 0));
    FANFARE_CHECK(mine.tick.chunks.size() == its.tick.chunks.size());
    for (std::size_t i = 0; i < mine.tick.chunks.size(); ++i) {
      const ChunkTick& tick = mine.tick.chunks[i];
      FANFARE_CHECK(tick.hash == its.tick.chunks[i].hash && tick.version == its.tick.chunks[i].version);
      FANFARE_CHECK(tick.pixels == its.tick.chunks[i].pixels);
    }
    for (std::size_t i = 0; i < mine.results.size(); ++i) {
      FANFARE_CHECK(mine.results[i].user == its.results[i].user &&
                    mine.results[i].count == its.results[i].count);
    }
  }

  const bool has_palette_;
  std::unique_ptr<FuzzedCopy> one_;
  std::unique_ptr<FuzzedCopy> other_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  if (bytes.size() < 3 || bytes.size() > 4096) return 0;
  World world((bytes[0] & 1U) != 0);
  for_each_piece(bytes.subspan(1), [&](Bytes entry) {
    world.run(entry);
    if ((entry.size() & 1U) != 0) world.check();
  });
  world.check();
  return 0;
}
