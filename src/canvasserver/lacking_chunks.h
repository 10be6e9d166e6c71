#pragma once
// The chunks that a client watches and does not have as they are, in order, and which version of each it has. They come
// from WATCH and FETCH, and from ticks that were skipped because it read too slowly.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "canvas/catch_up.h"
#include "canvas/place.h"

namespace fanfare::canvasserver {

class LackingChunks {
 public:
  bool empty() const { return chunks_.empty(); }
  std::size_t size() const { return chunks_.size(); }
  bool contains(canvas::ChunkId id) const { return find(id) != chunks_.end(); }

  // A chunk of which the client has nothing, or does not trust what it has.
  void add_unknown(canvas::ChunkId id) { add({.id = id, .is_known = false}, true); }
  // A chunk of which the client has this version. One that lacks already stays as it is.
  void add(canvas::ChunkId id, canvas::Version version) {
    add({.id = id, .is_known = true, .version = version}, false);
  }
  // Of one that is unknown: it has this version after all.
  void set_known(canvas::ChunkId id, canvas::Version version) {
    add({.id = id, .is_known = true, .version = version}, true);
  }
  void remove(canvas::ChunkId id) {
    const auto found = find(id);
    if (found != chunks_.end()) chunks_.erase(found);
  }
  template <typename Remove>
  void remove_if(Remove remove) {
    std::erase_if(chunks_, [&](const Entry& entry) { return remove(entry.id); });
  }

  // The first ones, and of these the versions that are known.
  struct Wanted {
    std::vector<canvas::ChunkId> ids;
    std::vector<canvas::KnownChunk> known;
  };
  Wanted first(std::size_t count) const {
    Wanted wanted;
    for (const Entry& entry : std::span(chunks_).first(std::min(count, chunks_.size()))) {
      wanted.ids.push_back(entry.id);
      if (entry.is_known) wanted.known.push_back({.id = entry.id, .version = entry.version});
    }
    return wanted;
  }

 private:
  struct Entry {
    canvas::ChunkId id;
    bool is_known = false;
    canvas::Version version = 0;
  };
  using Entries = std::vector<Entry>;

  Entries::const_iterator find(canvas::ChunkId id) const {
    const auto at = place_of(id);
    return at != chunks_.end() && at->id == id ? at : chunks_.end();
  }
  Entries::const_iterator place_of(canvas::ChunkId id) const {
    return std::ranges::lower_bound(chunks_, id.key(), {}, [](const Entry& entry) { return entry.id.key(); });
  }
  void add(const Entry& entry, bool replaces) {
    const auto at = place_of(entry.id);
    if (at == chunks_.end() || at->id != entry.id) {
      chunks_.insert(at, entry);
    } else if (replaces) {
      chunks_[static_cast<std::size_t>(at - chunks_.begin())] = entry;
    }
  }

  Entries chunks_;  // by ChunkId::key()
};

}  // namespace fanfare::canvasserver
