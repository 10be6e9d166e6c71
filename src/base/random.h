#pragma once
// Randomness is passed as an argument, as time is: a seed replays a run.

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace fanfare {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableBytes bytes) = 0;

  std::uint32_t next_u32() { return next<std::uint32_t>(); }
  std::uint64_t next_u64() { return next<std::uint64_t>(); }
  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);

 private:
  template <typename T>
  T next() {
    T value;
    std::array<std::uint8_t, sizeof(T)> bytes;
    fill(bytes);
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
};

// The kernel's generator, prefetched into a small buffer. One per thread: not thread-safe. RFC6455§10.3:
// masking keys come from a strong source of entropy.
class SystemRandom final : public Random {
 public:
  void fill(MutableBytes bytes) override;

 private:
  std::array<std::uint8_t, 256> ahead_{};
  std::size_t used_ = sizeof(ahead_);
};

// SplitMix64 from a seed: for tests, simulations and the development chain, never for keys.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(MutableBytes bytes) override;

 private:
  std::uint64_t step();
  std::uint64_t state_;
};

}  // namespace fanfare
