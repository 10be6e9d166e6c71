#include "canvasstore/taken_back_rows.h"

#include <map>
#include <vector>

#include "canvasstore/row_format.h"

namespace fanfare::canvasstore {

bool write_taken_back(store::Statement& insert, const canvasserver::LoggedTick& tick) {
  std::map<std::int64_t, std::vector<canvas::TakenBack>> chunks;
  for (const canvas::TakenBack& one : tick.taken_back) {
    chunks[chunk_number(canvas::chunk_of(one.x, one.y))].push_back(one);
  }
  for (const auto& [chunk, all] : chunks) {
    const auto data = encode_taken_back(all);
    const bool is_written = insert.bind(1, chunk)
                                .bind(2, tick.tick)
                                .bind(3, row_checksum(chunk, tick.tick, 0, data))
                                .bind(4, Bytes(data))
                                .run();
    if (!is_written) return false;
  }
  return true;
}

}  // namespace fanfare::canvasstore
