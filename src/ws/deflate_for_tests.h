#pragma once
// Shared by the compression tests: literal payloads, messages of two kinds, and inflating a whole message.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "ws/deflate_codec.h"

namespace fanfare::ws::deflate_tests {

using Buffer = std::vector<std::uint8_t>;
using Inflated = std::expected<std::string, CodecError>;

inline constexpr DeflateOptions kEager{.threshold_bytes = 1};
inline constexpr DeflateParameters kTakeover{};
inline constexpr DeflateParameters kNoTakeover{.server_no_context_takeover = true,
                                               .client_no_context_takeover = true};
inline constexpr std::size_t kNoLimit = std::size_t{1} << 30;

inline Bytes bytes_of(std::string_view text) {
  return as_bytes(text);
}
// For bytes that include zeros.
template <std::size_t size>
Bytes bytes_of(const char (&text)[size]) {
  return as_bytes(std::string_view(text, size - 1));
}

inline Inflated inflated(DeflateCodec& codec, Bytes payload, std::size_t message_bytes_max = kNoLimit) {
  Buffer message;
  const auto done = codec.decompress(payload, true, message_bytes_max, message);
  if (!done) return std::unexpected(done.error());
  return std::string(as_text(message));
}

inline Buffer owned(std::optional<Bytes> bytes) {
  return bytes ? Buffer(bytes->begin(), bytes->end()) : Buffer();
}

inline std::string json(Random& random, std::size_t size) {
  std::string text = "[";
  while (text.size() < size) {
    text += R"({"id":)" + std::to_string(random.below(100000)) +
            R"(,"name":"user","active":true,"tags":["a","b"]},)";
  }
  text.resize(size);
  return text;
}

inline std::string noise(Random& random, std::size_t size) {
  std::string text(size, '\0');
  random.fill(MutableBytes(reinterpret_cast<std::uint8_t*>(text.data()), text.size()));
  return text;
}

}  // namespace fanfare::ws::deflate_tests
