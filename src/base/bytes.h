#pragma once
// Views of bytes, and the way between bytes and text.
//
// A view is borrowed: it is good for the call it is passed to and no longer, unless the function that
// returns it says whose memory it points into.

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

// Where an encoder puts what it makes. extend(n) returns room for exactly n bytes, which count as written:
// the caller fills all of them before it calls anything else on the same output.
class Output {
 public:
  virtual ~Output() = default;
  virtual std::uint8_t* extend(std::size_t size) = 0;

  void append(Bytes bytes) {
    if (!bytes.empty()) std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
  }
};

}  // namespace fanfare
