#include "ws/mask.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <array>

namespace fanfare::ws {

bool unmask_plain(MutableBytes payload, MaskKey key) {
  std::array<std::uint8_t, 4> key_bytes{};
  std::memcpy(key_bytes.data(), &key, sizeof(key));
  std::uint8_t seen = 0;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    payload[i] ^= key_bytes[i & 3U];
    seen |= payload[i];
  }
  return seen < 0x80;
}

namespace {

using Kernel = bool (*)(std::uint8_t* bytes, std::size_t size, MaskKey key);

// The last word overlaps the one before it, so it is read before the loop writes anything.
bool unmask_any(std::uint8_t* bytes, std::size_t size, MaskKey key) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  constexpr auto load = [](const std::uint8_t* from) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, kWord);
    return word;
  };
  const std::size_t last = size - kWord;
  const std::uint64_t tail = load(bytes + last) ^ (advance_mask_key(key, last) * 0x0000000100000001U);
  std::uint64_t seen = tail;
  for (std::size_t i = 0; i < last; i += kWord) {
    const std::uint64_t word = load(bytes + i) ^ (key * 0x0000000100000001U);
    seen |= word;
    std::memcpy(bytes + i, &word, kWord);
  }
  std::memcpy(bytes + last, &tail, kWord);
  return (seen & 0x8080808080808080U) == 0;
}

#if defined(__x86_64__)

// Sizes exceed kUnmaskInlineBytesMax, so the overlapping last vector always lies inside the payload.
__attribute__((target("avx2"))) bool unmask_avx2(std::uint8_t* bytes, std::size_t size, MaskKey key) {
  const std::size_t last = size - 32;
  const __m256i keys = _mm256_set1_epi32(static_cast<int>(key));
  const __m256i last_keys = _mm256_set1_epi32(static_cast<int>(advance_mask_key(key, last)));
  const __m256i tail =
      _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + last)), last_keys);
  __m256i seen = tail;
  for (std::size_t i = 0; i < last; i += 32) {
    auto* const at = reinterpret_cast<__m256i*>(bytes + i);
    const __m256i block = _mm256_xor_si256(_mm256_loadu_si256(at), keys);
    seen = _mm256_or_si256(seen, block);
    _mm256_storeu_si256(at, block);
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(bytes + last), tail);
  return _mm256_movemask_epi8(seen) == 0;
}

__attribute__((target("avx512f,avx512bw"))) bool unmask_avx512(std::uint8_t* bytes, std::size_t size,
                                                               MaskKey key) {
  const std::size_t last = size - 64;
  const __m512i keys = _mm512_set1_epi32(static_cast<int>(key));
  const __m512i last_keys = _mm512_set1_epi32(static_cast<int>(advance_mask_key(key, last)));
  const __m512i tail = _mm512_xor_si512(_mm512_loadu_si512(bytes + last), last_keys);
  __m512i seen = tail;
  for (std::size_t i = 0; i < last; i += 64) {
    const __m512i block = _mm512_xor_si512(_mm512_loadu_si512(bytes + i), keys);
    seen = _mm512_or_si512(seen, block);
    _mm512_storeu_si512(bytes + i, block);
  }
  _mm512_storeu_si512(bytes + last, tail);
  return _mm512_movepi8_mask(seen) == 0;
}

Kernel best_kernel() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return unmask_avx512;
  if (__builtin_cpu_supports("avx2")) return unmask_avx2;
  return unmask_any;
}

#else

Kernel best_kernel() {
  return unmask_any;
}

#endif

// Valid even before static initialisation; the fastest kernel is chosen there.
constinit Kernel kernel = unmask_any;
[[maybe_unused]] const bool kernel_chosen = (kernel = best_kernel(), true);

}  // namespace

bool unmask_long(MutableBytes payload, MaskKey key) {
  return kernel(payload.data(), payload.size(), key);
}

}  // namespace fanfare::ws
