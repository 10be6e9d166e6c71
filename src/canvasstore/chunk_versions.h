#pragma once
// The newest version of every chunk, as one number in the room's file. A row that is missing between two others leaves a
// gap in the versions of its chunk; without this number, one that is missing at the end would leave nothing.
//
//   state "versions":  "TICK SUM"     SUM: of a hash of (chunk, version) over all chunks, 64 bits, wrapping
//
// It counts only for the tick that it names: programs that do not know it write ticks and leave it as it was.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace fanfare::canvasstore {

class ChunkVersions {
 public:
  void set(std::int64_t chunk, std::uint64_t version);
  std::string text(std::uint64_t tick) const;
  // Also true if `text` is empty or names another tick.
  bool agrees_with(std::string_view text, std::uint64_t tick) const;

 private:
  std::map<std::int64_t, std::uint64_t> versions_;
  std::uint64_t sum_ = 0;
};

}  // namespace fanfare::canvasstore
