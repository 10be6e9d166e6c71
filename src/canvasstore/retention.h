#pragma once
// Drops the oldest tenth of a room's past when its file is too large, one chunk at a time. Each chunk keeps its newest
// snapshot from before the cut and what came after it, so every moment from the cut on is as it was. The writer's thread.

#include <cstdint>
#include <memory>
#include <vector>

#include "store/statement.h"

namespace fanfare::canvasstore {

class Retention {
 public:
  // The database, with its tables, outlives it.
  Retention(sqlite3* database, std::uint64_t bytes_max);
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;
  ~Retention();

  // Of the file, without free pages.
  std::uint64_t bytes();
  // Whether a part is being dropped: then call drop_one(), outside of a transaction.
  bool is_dropping() const { return !chunks_.empty(); }
  // Begins to drop a part if the file is too large. `chunks`: all of the room. False: it failed, as below; the database
  // says why.
  bool begin_if_large(const std::vector<std::int64_t>& chunks);
  bool drop_one();

 private:
  struct Statements;

  bool drop_before(std::int64_t chunk, std::uint64_t snapshot);
  bool drop_ticks();
  bool execute(const char* text);

  sqlite3* const database_;
  const std::uint64_t bytes_max_;
  const std::unique_ptr<Statements> statements_;
  std::uint64_t until_ = 0;           // the past before this tick goes
  std::vector<std::int64_t> chunks_;  // that still have it
  std::vector<std::int64_t> all_;
};

}  // namespace fanfare::canvasstore
