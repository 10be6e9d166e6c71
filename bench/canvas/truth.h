#pragma once
// What the canvas was at each version, as all viewers together have seen it. A frame is decoded and its hashes computed once; every viewer that
// gets the same bytes is compared with it by memcmp. So ten thousand viewers are checked whole, on a part of a core.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "canvas/wire.h"

namespace fanfare::bench::canvas {

inline constexpr std::uint32_t kSide = 256;
// Colours below are numbers of sendings, by which a receipt finds its time of sending.
inline constexpr std::uint32_t kMarks = 1 << 20;

struct Welcome {
  std::uint64_t epoch = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t background = 0;
  bool has_palette = false;
  std::uint64_t user = 0;
};

// Empty if the message is not as described.
std::optional<Welcome> read_welcome(Bytes message);

struct Section {
  std::uint32_t chunk = 0;  // row * columns + column of the chunk
  std::uint64_t version = 0;
  std::uint64_t hash = 0;
  std::uint32_t first = 0;  // of TickFrame::pixels
  std::uint32_t count = 0;
};
struct Pixel {
  std::uint32_t index = 0;
  std::uint32_t colour = 0;
};
struct TickFrame {
  std::string bytes;
  std::vector<Section> sections;
  std::vector<Pixel> pixels;
  std::vector<std::uint32_t> marks;  // colours below kMarks
};

// Counts of what must not be.
struct Faults {
  std::uint64_t malformed = 0;   // a message that is not as described
  std::uint64_t wrong_hash = 0;  // the pixels do not give the hash that the server says
  std::uint64_t diverged = 0;    // two viewers were sent different pixels for one version
  std::uint64_t gap = 0;         // a version was left out
  std::uint64_t twice = 0;       // a version came again
};

class Truth {
 public:
  explicit Truth(const Welcome& room);

  std::uint32_t chunks() const { return columns_ * rows_; }
  std::uint32_t columns() const { return columns_; }
  std::uint32_t rows() const { return rows_; }

  // The decoded frame of these bytes; null if they are malformed. Valid until 1,024 further frames.
  const TickFrame* tick(Bytes message);
  // Checks a CHUNK message. Returns its section (without pixels); empty if it is malformed.
  std::optional<Section> chunk(Bytes message);
  // Compares what the server says of a version with what was seen of it.
  void check(std::uint32_t chunk, std::uint64_t version, std::uint64_t hash);

  Faults faults;
  std::uint64_t frames_decoded = 0;
  std::uint64_t sections_unchecked =
      0;  // whose pixels could not be applied, because the version before was not seen

 private:
  struct Seen {
    std::uint64_t hash = 0;
    std::uint64_t digest = 0;  // of the pixels that led to it; 0: unknown
  };
  struct Chunk {
    std::vector<std::uint32_t> colours;  // empty: the background
    std::uint64_t version = 0;
    std::uint64_t hash = 0;
    std::unordered_map<std::uint64_t, Seen> seen;
  };

  void decode(TickFrame& frame);
  void apply(const TickFrame& frame, const Section& section);
  std::uint32_t width_of(std::uint32_t chunk) const;
  std::uint32_t height_of(std::uint32_t chunk) const;

  const Welcome room_;
  const std::uint32_t columns_;
  const std::uint32_t rows_;
  std::vector<Chunk> chunks_;
  // Frames of late: a tick may be sent in several, one for each set of chunks that viewers watch.
  std::map<std::uint64_t, std::vector<std::unique_ptr<TickFrame>>> ticks_;
  std::unordered_map<std::string, Section> chunk_messages_;
};

}  // namespace fanfare::bench::canvas
