#pragma once
// The past of a room, from its file: snapshots of chunks, and the changes after them. One thread at a time.
//
// A moment is the newest tick of that time or before. A chunk at a tick is its newest snapshot of that tick or before, with
// the changes since. RoomWriter makes a snapshot of a chunk after kSnapshotRows rows or kSnapshotPixels pixels, which limits how much
// is read for it.

#include <memory>

#include "canvasserver/storage.h"
#include "store/statement.h"

namespace fanfare::canvasstore {

inline constexpr std::size_t kSnapshotRows = 2048;
inline constexpr std::size_t kSnapshotPixels = 16'384;

class PastFile final : public canvasserver::PastLog {
 public:
  // The database and the specification outlive it.
  PastFile(sqlite3* database, const canvas::RoomSpec& spec);
  PastFile(const PastFile&) = delete;
  PastFile& operator=(const PastFile&) = delete;
  ~PastFile() override;

  Result<Span> span() override;
  Result<std::vector<canvasserver::StoredChunk>> chunks_at(const canvas::Area& area, std::int64_t at_ms,
                                                           bool with_users) override;
  Result<std::vector<canvasserver::LogPixel>> drawn_at(std::uint32_t x, std::uint32_t y,
                                                       std::size_t count_max) override;
  Result<void> visit(const canvas::Area& area, std::int64_t since_ms, std::int64_t until_ms,
                     std::optional<std::uint32_t> user, const Visit& visit) override;
  Result<std::vector<canvasserver::LogTakenBack>> taken_back(canvas::ChunkId chunk,
                                                             std::uint64_t from) override;
  Result<std::uint64_t> tick_from(std::int64_t at_ms) override;
  Result<std::vector<canvasserver::LoggedUser>> users(const std::vector<std::uint32_t>& numbers) override;

  // A chunk as it was after the tick; empty: it did not exist. Problem: damage, or the disk.
  std::expected<std::optional<canvasserver::StoredChunk>, store::Problem> chunk_at(std::int64_t chunk,
                                                                                   std::uint64_t tick,
                                                                                   bool with_users);
  // All chunks that anybody has drawn in, in order.
  std::expected<std::vector<std::int64_t>, store::Problem> chunks();

 private:
  struct Statements;

  std::expected<std::uint64_t, store::Problem> tick_at(std::int64_t at_ms);
  std::expected<bool, store::Problem> apply_changes(std::int64_t chunk, std::uint64_t after,
                                                    std::uint64_t until, canvasserver::StoredChunk& to);
  std::expected<std::uint64_t, store::Problem> read_snapshot(std::int64_t chunk, std::uint64_t tick,
                                                             bool with_users, canvasserver::StoredChunk& to);
  std::expected<bool, store::Problem> visit_chunk(std::int64_t chunk,
                                                  std::pair<std::uint64_t, std::uint64_t> ticks,
                                                  const canvas::Area& area, std::optional<std::uint32_t> user,
                                                  const Visit& visit);
  store::Problem failed(std::string_view doing) const;

  sqlite3* const database_;
  const canvas::RoomSpec& spec_;
  const std::unique_ptr<Statements> statements_;
};

// The error of a file that is not what was written.
store::Problem damage(std::string_view what);

}  // namespace fanfare::canvasstore
