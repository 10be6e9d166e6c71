#pragma once
// RFC6455§5.3: every payload byte a client sends is XORed with one byte of a four-byte key, in turn.
//
// unmask() works in place and is its own inverse. Small payloads are done inline, a machine word at a time;
// longer ones by the widest vectors the processor has (AVX-512, AVX2), chosen at start. unmask_plain() is the
// twin that tests and fuzzers compare them with.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace fanfare::ws {

// The four bytes as they lie on the wire, whatever the machine's byte order.
using MaskKey = std::uint32_t;

inline MaskKey load_mask_key(const std::uint8_t* wire) {
  MaskKey key;
  std::memcpy(&key, wire, sizeof(key));
  return key;
}

// The key for the bytes that follow `size` bytes already unmasked with `key`.
constexpr MaskKey advance_mask_key(MaskKey key, std::uint64_t size) {
  const int bits = static_cast<int>(size & 3U) * 8;
  return std::endian::native == std::endian::little ? std::rotr(key, bits) : std::rotl(key, bits);
}

// Both return whether every resulting byte is ASCII, which is then known to be valid UTF-8.
bool unmask_plain(MutableBytes payload, MaskKey key);
bool unmask_long(MutableBytes payload, MaskKey key);

inline constexpr std::size_t kUnmaskInlineBytesMax = 64;

// The last word is read before the loop writes anything, so that it may overlap the one before it and no
// odd bytes remain.
template <typename Word>
bool unmask_words(std::uint8_t* bytes, std::size_t size, MaskKey key) {
  constexpr Word kTopBits = static_cast<Word>(0x8080808080808080U);
  const Word whole_key = static_cast<Word>(key * 0x0000000100000001U);
  const std::size_t last = size - sizeof(Word);
  const Word tail_key = static_cast<Word>(advance_mask_key(key, last) * 0x0000000100000001U);
  Word tail;
  std::memcpy(&tail, bytes + last, sizeof(Word));
  tail ^= tail_key;
  Word seen = tail;
  for (std::size_t i = 0; i < last; i += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes + i, sizeof(Word));
    word ^= whole_key;
    seen |= word;
    std::memcpy(bytes + i, &word, sizeof(Word));
  }
  std::memcpy(bytes + last, &tail, sizeof(Word));
  return (seen & kTopBits) == 0;
}

inline bool unmask(MutableBytes payload, MaskKey key) {
  if (payload.size() > kUnmaskInlineBytesMax) return unmask_long(payload, key);
  if (payload.size() >= 8) return unmask_words<std::uint64_t>(payload.data(), payload.size(), key);
  if (payload.size() >= 4) return unmask_words<std::uint32_t>(payload.data(), payload.size(), key);
  return unmask_plain(payload, key);
}

}  // namespace fanfare::ws
