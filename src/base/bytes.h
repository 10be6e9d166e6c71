#pragma once
// Views of bytes, and conversion between bytes and text.
//
// A view is borrowed: it is valid only during the call that it is passed to. A function that returns a view
// documents whose memory it points into.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace fanfare {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Copies `size` bytes that do not overlap. Most messages are small: memcpy() and its choice of strategy would
// cost more than these two or four moves. The moves overlap if the size is not a power of two.
inline void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::size_t size) {
  const auto both_ends = [=]<typename Word>(Word first) {
    Word last;
    std::memcpy(&first, from, sizeof(Word));
    std::memcpy(&last, from + size - sizeof(Word), sizeof(Word));
    std::memcpy(to, &first, sizeof(Word));
    std::memcpy(to + size - sizeof(Word), &last, sizeof(Word));
  };
  struct Sixteen {
    std::uint64_t low, high;
  };
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    both_ends(Sixteen{});
  } else if (size >= 8) {
    both_ends(std::uint64_t{});
  } else if (size >= 4) {
    both_ends(std::uint32_t{});
  } else {
    for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
  }
}

// An encoder's destination. extend(n) returns space for exactly n bytes, which count as written: the caller
// must fill all of them before it makes another call on the same output.
class Output {
 public:
  virtual ~Output() = default;
  virtual std::uint8_t* extend(std::size_t size) = 0;

  void append(Bytes bytes) {
    if (!bytes.empty()) std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
  }
};

}  // namespace fanfare
