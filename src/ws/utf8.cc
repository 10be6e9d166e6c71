#include "ws/utf8.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <initializer_list>

namespace fanfare::ws {

bool Utf8Validator::step(std::uint8_t byte) {
  if (pending_ > 0) {
    if (byte < low_ || byte > high_) return false;
    --pending_;
    low_ = 0x80;
    high_ = 0xBF;
    return true;
  }
  if (byte < 0x80) return true;
  if (byte < 0xC2 || byte > 0xF4) return false;
  if (byte < 0xE0) {
    pending_ = 1;
  } else if (byte < 0xF0) {
    pending_ = 2;
    if (byte == 0xE0) low_ = 0xA0;
    if (byte == 0xED) high_ = 0x9F;
  } else {
    pending_ = 3;
    if (byte == 0xF0) low_ = 0x90;
    if (byte == 0xF4) high_ = 0x8F;
  }
  return true;
}

bool is_valid_utf8_plain(Bytes text) {
  Utf8Validator validator;
  return std::ranges::all_of(text, [&](std::uint8_t byte) { return validator.step(byte); }) &&
         validator.complete();
}

namespace {

// The number of leading ASCII bytes, rounded down to whole words.
std::size_t ascii_words(Bytes text) {
  std::size_t size = 0;
  for (; size + 8 <= text.size(); size += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + size, sizeof(word));
    if ((word & 0x8080808080808080U) != 0) break;
  }
  return size;
}

// The position at which the text can be cut without splitting its last character.
std::size_t last_boundary(Bytes text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const std::uint8_t byte = text[text.size() - back];
    if (byte < 0x80) break;
    if (byte < 0xC0) continue;
    const std::size_t needs = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    return needs > back ? text.size() - back : text.size();
  }
  return text.size();
}

using Utf8Kernel = bool (*)(Bytes text);

#if defined(__x86_64__)

// The vector kernel examines each byte together with the preceding one. A wrong pair is described by both
// nibbles of the first byte and the upper nibble of the second. Each kind of wrong pair has its own bit; a
// pair is wrong if all three tables have the same bit set.
struct WrongPair {
  std::uint16_t first_high;   // matching upper nibbles of the first byte: bit n for nibble n
  std::uint16_t first_low;    // its lower nibbles
  std::uint16_t second_high;  // upper nibbles of the second byte
};

constexpr std::uint16_t nibbles(int from, int to) {
  return static_cast<std::uint16_t>((1U << (to + 1)) - (1U << from));
}

constexpr std::uint16_t kAnyNibble = nibbles(0, 15);
constexpr std::uint16_t kContinuation = nibbles(0x8, 0xB);

constexpr std::array<WrongPair, 8> kWrongPairs = {{
    {nibbles(0xC, 0xF), kAnyNibble, static_cast<std::uint16_t>(kAnyNibble - kContinuation)},  // cut character
    {nibbles(0x0, 0x7), kAnyNibble, kContinuation},             // continuation without a lead byte
    {nibbles(0xC, 0xC), nibbles(0x0, 0x1), kContinuation},      // C0, C1
    {nibbles(0xE, 0xE), nibbles(0x0, 0x0), nibbles(0x8, 0x9)},  // E0 80-9F
    {nibbles(0xE, 0xE), nibbles(0xD, 0xD), nibbles(0xA, 0xB)},  // surrogates
    {nibbles(0xF, 0xF), nibbles(0x4, 0xF), nibbles(0x9, 0xB)},  // above U+10FFFF
    {nibbles(0xF, 0xF), static_cast<std::uint16_t>(nibbles(0x0, 0x0) | nibbles(0x5, 0xF)),
     nibbles(0x8, 0x8)},                         // F0 80-8F, and above U+10FFFF again
    {kContinuation, kAnyNibble, kContinuation},  // wrong unless a lead byte precedes by two or three
}};
// The last kind must have the top bit, which is compared with a saturated difference.
constexpr std::uint8_t kTwoContinuations = 0x80;

constexpr std::array<std::uint8_t, 16> pair_table(std::uint16_t WrongPair::* part) {
  std::array<std::uint8_t, 16> table{};
  for (std::size_t kind = 0; kind < kWrongPairs.size(); ++kind) {
    for (std::size_t nibble = 0; nibble < table.size(); ++nibble) {
      if (((kWrongPairs[kind].*part >> nibble) & 1U) != 0)
        table[nibble] |= static_cast<std::uint8_t>(1U << kind);
    }
  }
  return table;
}

constexpr auto kFirstHigh = pair_table(&WrongPair::first_high);
constexpr auto kFirstLow = pair_table(&WrongPair::first_low);
constexpr auto kSecondHigh = pair_table(&WrongPair::second_high);

__attribute__((target("avx2"))) inline __m256i look_up(const std::array<std::uint8_t, 16>& table,
                                                       __m256i nibble) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table.data()));
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), nibble);
}

// The bytes of `block`, each moved back by `distance` positions; the first ones come from the previous block.
template <int distance>
__attribute__((target("avx2"))) inline __m256i before(__m256i previous, __m256i block) {
  return _mm256_alignr_epi8(block, _mm256_permute2x128_si256(previous, block, 0x21), 16 - distance);
}

// Non-zero bytes mark errors in the text.
__attribute__((target("avx2"))) inline __m256i wrong_bytes(__m256i previous, __m256i block) {
  const __m256i low_nibble = _mm256_set1_epi8(0x0F);
  const __m256i first = before<1>(previous, block);
  const __m256i first_high = _mm256_and_si256(_mm256_srli_epi16(first, 4), low_nibble);
  const __m256i first_low = _mm256_and_si256(first, low_nibble);
  const __m256i second_high = _mm256_and_si256(_mm256_srli_epi16(block, 4), low_nibble);
  const __m256i wrong =
      _mm256_and_si256(_mm256_and_si256(look_up(kFirstHigh, first_high), look_up(kFirstLow, first_low)),
                       look_up(kSecondHigh, second_high));
  // Third byte after E0-FF, fourth after F0-FF: only there may two continuations follow each other, and there
  // they must.
  const __m256i third = _mm256_subs_epu8(before<2>(previous, block), _mm256_set1_epi8(0xE0 - 0x80));
  const __m256i fourth = _mm256_subs_epu8(before<3>(previous, block), _mm256_set1_epi8(0xF0 - 0x80));
  const __m256i due = _mm256_and_si256(_mm256_or_si256(third, fourth),
                                       _mm256_set1_epi8(static_cast<char>(kTwoContinuations)));
  return _mm256_xor_si256(wrong, due);
}

__attribute__((target("avx2"))) bool is_valid_utf8_avx2(Bytes text) {
  __m256i previous = _mm256_setzero_si256();
  __m256i wrong = _mm256_setzero_si256();
  bool previous_ascii = true;
  std::size_t at = 0;
  for (; at + 32 <= text.size(); at += 32) {
    const __m256i block = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at));
    const bool ascii = _mm256_movemask_epi8(block) == 0;
    // After an ASCII block no character is incomplete, so another ASCII block needs no check.
    if (!ascii || !previous_ascii) wrong = _mm256_or_si256(wrong, wrong_bytes(previous, block));
    previous = block;
    previous_ascii = ascii;
  }
  // The remaining bytes, followed by at least one zero: a character cut by the end appears as one cut by
  // ASCII.
  std::array<std::uint8_t, 32> rest{};
  if (at < text.size()) std::memcpy(rest.data(), text.data() + at, text.size() - at);
  const __m256i block = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rest.data()));
  wrong = _mm256_or_si256(wrong, wrong_bytes(previous, block));
  return _mm256_testz_si256(wrong, wrong) != 0;
}

#endif

bool is_valid_utf8_words(Bytes text) {
  Utf8Validator validator;
  return validator.feed(text) && validator.complete();
}

Utf8Kernel best_utf8_kernel() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) return is_valid_utf8_avx2;
#endif
  return nullptr;
}

// Null without a vector kernel, and before static initialisation.
constinit Utf8Kernel wide_kernel = nullptr;
[[maybe_unused]] const bool utf8_kernel_chosen = (wide_kernel = best_utf8_kernel(), true);
constexpr std::size_t kWideBytesMin = 8;

}  // namespace

bool Utf8Validator::feed(Bytes piece) {
  std::size_t at = 0;
  while (pending_ > 0 && at < piece.size()) {
    if (!step(piece[at++])) return false;
  }
  piece = piece.subspan(at);
  if (piece.size() >= kWideBytesMin && wide_kernel != nullptr) {
    const std::size_t whole = last_boundary(piece);
    if (!wide_kernel(piece.first(whole))) return false;
    piece = piece.subspan(whole);
  }
  for (at = 0; at < piece.size();) {
    if (pending_ == 0) at += ascii_words(piece.subspan(at));
    // One character, or the few ASCII bytes that do not fill a word.
    do {
      if (at == piece.size()) return true;
      if (!step(piece[at++])) return false;
    } while (pending_ > 0);
  }
  return true;
}

bool is_valid_utf8(Bytes text) {
  if (text.size() >= kWideBytesMin && wide_kernel != nullptr) return wide_kernel(text);
  return is_valid_utf8_words(text);
}

}  // namespace fanfare::ws
