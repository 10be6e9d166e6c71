#pragma once
// Brings clients up to the end of the last tick: whole chunks, compressed once for all who ask, and the ticks that
// followed. One thread.
//
//   the client knows              gets
//   the present version           an entry of CURRENT
//   a version of this epoch       the sections after it, in a TICK, if they are still here and smaller than the chunk
//   nothing, or something older   CHUNK, perhaps of some versions ago, and in the TICK the sections after that
//
// A chunk is compressed again only if the sections after its last compressed form would be more than a quarter of
// it (kStaleShare): many clients that join while somebody draws cost little.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/shared_bytes.h"
#include "canvas/board.h"
#include "canvas/history.h"
#include "canvas/limits.h"

namespace fanfare::canvas {

// What a client has. The version is of this room's epoch.
struct KnownChunk {
  ChunkId id;
  Version version = 0;

  bool operator==(const KnownChunk&) const = default;
};

// An entry of CURRENT.
struct CurrentChunk {
  ChunkId id;
  Version version = 0;
  std::uint64_t hash = 0;
};

class CatchUp {
 public:
  static constexpr std::size_t kStaleShare = 4;

  // Both must outlive this.
  CatchUp(const Board& board, const Limits& limits);
  ~CatchUp();
  CatchUp(const CatchUp&) = delete;
  CatchUp& operator=(const CatchUp&) = delete;

  // After each tick.
  void add(const Tick& tick);

  // For each wanted chunk what the client lacks, in frames to be sent in this order, before the next tick's. Chunks
  // that are not in the canvas are left out. Of a chunk that is named twice in `known`, the last version counts. Each
  // frame is a complete unencrypted WebSocket message of a server (ws::encode_message). Any thread may use the bytes.
  std::vector<SharedBytes> frames_for(std::span<const ChunkId> wanted, std::span<const KnownChunk> known);

  // Compressed chunks since the start: for metrics.
  std::uint64_t compressed_count() const { return compressed_count_; }

 private:
  struct Entry {
    History history;
    SharedBytes snapshot;  // a CHUNK frame; empty until the first request
    Version version = 0;   // of the snapshot
  };
  struct Compressor;

  struct Answer {
    std::vector<SharedBytes> frames;
    std::vector<CurrentChunk> current;
    std::vector<SharedBytes> sections;
  };

  Entry& entry_of(ChunkId id);
  // `known`: empty if the client has no version of it.
  void answer_chunk(ChunkId id, std::optional<Version> known, Answer& answer);
  void append_ticks(std::span<const SharedBytes> sections, std::vector<SharedBytes>& frames) const;
  const SharedBytes& snapshot_of(const Chunk& chunk, Entry& entry);
  void drop_snapshots();

  const Board& board_;
  const Limits& limits_;
  std::unordered_map<std::uint16_t, Entry> entries_;  // by ChunkId::key(); only of chunks that exist
  std::deque<std::uint16_t> snapshot_order_;          // the oldest first
  std::size_t snapshot_bytes_ = 0;
  std::uint64_t tick_number_ = 0;
  std::uint64_t compressed_count_ = 0;
  std::unique_ptr<Compressor> compressor_;
};

}  // namespace fanfare::canvas
