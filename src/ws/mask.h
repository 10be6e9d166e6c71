#pragma once
// RFC6455§5.3: every payload byte that a client sends is XORed with one byte of a four-byte key, in turn.
//
// unmask() works in place and is its own inverse. Small payloads are processed inline in two or four words.
// Longer ones use the widest vectors of the processor (AVX-512, AVX2), chosen at startup. unmask_plain() is
// the reference version for tests and fuzzers.

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace fanfare::ws {

// The four bytes in wire order, whatever the machine's byte order.
using MaskKey = std::uint32_t;

inline MaskKey load_mask_key(const std::uint8_t* wire) {
  MaskKey key;
  std::memcpy(&key, wire, sizeof(key));
  return key;
}

// The key for the bytes after the first `size` bytes unmasked with `key`.
constexpr MaskKey advance_mask_key(MaskKey key, std::uint64_t size) {
  const int bits = static_cast<int>(size & 3U) * 8;
  return std::endian::native == std::endian::little ? std::rotr(key, bits) : std::rotl(key, bits);
}

// Both return whether every resulting byte is ASCII, which is always valid UTF-8.
bool unmask_plain(MutableBytes payload, MaskKey key);
bool unmask_long(MutableBytes payload, MaskKey key);

inline constexpr std::size_t kUnmaskInlineBytesMax = 64;

using Sixteen [[gnu::vector_size(16)]] = std::uint32_t;

inline bool is_ascii(std::uint32_t bytes) {
  return (bytes & 0x80808080U) == 0;
}
inline bool is_ascii(Sixteen bytes) {
#if defined(__SSE2__)
  return _mm_movemask_epi8(std::bit_cast<__m128i>(bytes)) == 0;
#else
  using Halves = std::array<std::uint64_t, 2>;
  const auto [low, high] = std::bit_cast<Halves>(bytes);
  return ((low | high) & 0x8080808080808080U) == 0;
#endif
}

// Processes two words, or four for larger sizes, from both ends towards the middle, so that no odd bytes
// remain. They may overlap in the middle, so all are read before any is written. Words at the end share a
// key, because they are whole words apart.
template <typename Word>
[[gnu::always_inline]] inline bool unmask_from_both_ends(std::uint8_t* bytes, std::size_t size, MaskKey key) {
  constexpr std::size_t kWord = sizeof(Word);
  constexpr auto load = [](const std::uint8_t* from) {
    Word word;
    std::memcpy(&word, from, kWord);
    return word;
  };
  const Word head_key = Word{} + key;
  const Word tail_key = Word{} + advance_mask_key(key, size);
  std::uint8_t* const end = bytes + size;
  const Word first = load(bytes) ^ head_key;
  const Word last = load(end - kWord) ^ tail_key;
  Word seen = first | last;
  if (size > 2 * kWord) {
    const Word second = load(bytes + kWord) ^ head_key;
    const Word last_but_one = load(end - 2 * kWord) ^ tail_key;
    seen |= second | last_but_one;
    std::memcpy(bytes + kWord, &second, kWord);
    std::memcpy(end - 2 * kWord, &last_but_one, kWord);
  }
  std::memcpy(bytes, &first, kWord);
  std::memcpy(end - kWord, &last, kWord);
  return is_ascii(seen);
}

[[gnu::always_inline]] inline bool unmask(MutableBytes payload, MaskKey key) {
  const std::size_t size = payload.size();
  if (size > kUnmaskInlineBytesMax) return unmask_long(payload, key);
  if (size >= sizeof(Sixteen)) return unmask_from_both_ends<Sixteen>(payload.data(), size, key);
  if (size >= 4) return unmask_from_both_ends<std::uint32_t>(payload.data(), size, key);
  return unmask_plain(payload, key);
}

}  // namespace fanfare::ws
