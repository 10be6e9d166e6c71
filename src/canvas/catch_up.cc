#include "canvas/catch_up.h"

#include <libdeflate.h>

#include "base/check.h"
#include "canvas/frames.h"
#include "ws/encode.h"

namespace fanfare::canvas {
namespace {

constexpr int kLevel = 5;
constexpr std::size_t kTickBytes = std::size_t{64} << 10;  // of one TICK with sections of the past, about

}  // namespace

struct CatchUp::Compressor {
  struct Free {
    void operator()(libdeflate_compressor* it) const { libdeflate_free_compressor(it); }
  };

  Bytes deflate(Bytes plain) {
    if (deflater == nullptr) deflater.reset(libdeflate_alloc_compressor(kLevel));
    if (deflater == nullptr) throw std::bad_alloc();
    out.resize(libdeflate_deflate_compress_bound(deflater.get(), plain.size()));
    const std::size_t size =
        libdeflate_deflate_compress(deflater.get(), plain.data(), plain.size(), out.data(), out.size());
    FANFARE_CHECK(size > 0);
    return Bytes(out).first(size);
  }

  std::unique_ptr<libdeflate_compressor, Free> deflater;
  std::vector<std::uint8_t> colours;
  std::vector<std::uint8_t> out;
};

CatchUp::CatchUp(const Board& board, const Limits& limits)
    : board_(board), limits_(limits), compressor_(std::make_unique<Compressor>()) {}

CatchUp::~CatchUp() = default;

CatchUp::Entry& CatchUp::entry_of(ChunkId id) {
  const auto found = entries_.find(id.key());
  if (found != entries_.end()) return found->second;
  return entries_
      .emplace(id.key(), Entry{.history = History(limits_.history_ticks_per_chunk_max,
                                                  limits_.history_bytes_per_chunk_max)})
      .first->second;
}

void CatchUp::add(const Tick& tick) {
  tick_number_ = tick.number;
  for (const ChunkTick& chunk : tick.chunks) {
    entry_of(chunk.chunk).history.add(chunk.version, chunk.section);
  }
}

void CatchUp::answer_chunk(ChunkId id, std::optional<Version> known, Answer& answer) {
  const Chunk* const chunk = board_.find(id);
  const Version version = chunk == nullptr ? 0 : chunk->version();
  if (known == version) {
    const std::uint64_t hash = chunk == nullptr ? 0 : chunk->hash();
    answer.current.push_back({.id = id, .version = version, .hash = hash});
    return;
  }
  if (version == 0) {
    ByteVector blank;
    append_chunk(blank, id, 0, 0, {});
    answer.frames.push_back(ws::encode_message(ws::Opcode::binary, blank));
    return;
  }
  Entry& entry = entry_of(id);
  // The size of the compressed chunk shows whether the ticks are the longer way.
  if (known && entry.history.covers(*known) &&
      (entry.snapshot.empty() || entry.history.bytes_after(*known) <= entry.snapshot.size())) {
    return entry.history.append_after(*known, answer.sections);
  }
  answer.frames.push_back(snapshot_of(*chunk, entry));
  if (entry.version != version) entry.history.append_after(entry.version, answer.sections);
}

std::vector<SharedBytes> CatchUp::frames_for(std::span<const ChunkId> wanted,
                                             std::span<const KnownChunk> known) {
  std::unordered_map<std::uint16_t, Version> versions;
  for (const KnownChunk& one : known) versions[one.id.key()] = one.version;
  Answer answer;
  for (const ChunkId id : wanted) {
    if (!has_chunk(board_.spec(), id)) continue;
    const auto found = versions.find(id.key());
    answer_chunk(id, found == versions.end() ? std::nullopt : std::optional(found->second), answer);
  }
  if (!answer.current.empty()) {
    ByteVector current;
    append_current(current, answer.current);
    answer.frames.push_back(ws::encode_message(ws::Opcode::binary, current));
  }
  append_ticks(answer.sections, answer.frames);
  return std::move(answer.frames);
}

void CatchUp::append_ticks(std::span<const SharedBytes> sections, std::vector<SharedBytes>& frames) const {
  std::size_t begin = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (i > begin && bytes + sections[i].size() > kTickBytes) {
      frames.push_back(tick_frame(tick_number_, sections.subspan(begin, i - begin)));
      begin = i;
      bytes = 0;
    }
    bytes += sections[i].size();
  }
  if (begin < sections.size()) frames.push_back(tick_frame(tick_number_, sections.subspan(begin)));
}

const SharedBytes& CatchUp::snapshot_of(const Chunk& chunk, Entry& entry) {
  if (!entry.snapshot.empty()) {
    const History& history = entry.history;
    if (entry.version == chunk.version()) return entry.snapshot;
    if (history.covers(entry.version) &&
        history.bytes_after(entry.version) * kStaleShare <= entry.snapshot.size()) {
      return entry.snapshot;
    }
  }
  chunk.copy_colours(compressor_->colours);
  ByteVector message;
  append_chunk(message, chunk.id(), chunk.version(), chunk.hash(),
               compressor_->deflate(compressor_->colours));
  std::erase(snapshot_order_, chunk.id().key());
  snapshot_order_.push_back(chunk.id().key());
  snapshot_bytes_ -= entry.snapshot.size();
  entry.snapshot = ws::encode_message(ws::Opcode::binary, message);
  entry.version = chunk.version();
  snapshot_bytes_ += entry.snapshot.size();
  ++compressed_count_;
  drop_snapshots();
  return entry.snapshot;
}

// The newest one stays, since its caller uses it.
void CatchUp::drop_snapshots() {
  while (snapshot_bytes_ > limits_.snapshot_bytes_max && snapshot_order_.size() > 1) {
    Entry& oldest = entries_.at(snapshot_order_.front());
    snapshot_order_.pop_front();
    snapshot_bytes_ -= oldest.snapshot.size();
    oldest.snapshot = {};
  }
}

}  // namespace fanfare::canvas
