#include "base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"

namespace fanfare {

std::uint64_t Random::below(std::uint64_t bound) {
  FANFARE_CHECK(bound > 0);
  // Values beyond the last whole multiple of bound would make small results more likely.
  const std::uint64_t excess = (UINT64_MAX % bound + 1) % bound;
  for (;;) {
    const std::uint64_t value = next_u64();
    if (value <= UINT64_MAX - excess) return value % bound;
  }
}

void SystemRandom::fill(MutableBytes bytes) {
  while (!bytes.empty()) {
    if (used_ == ahead_.size()) {
      ssize_t got = 0;
      do {
        got = getrandom(ahead_.data(), ahead_.size(), 0);
      } while (got < 0 && errno == EINTR);
      // Up to 256 bytes are always returned in full once the pool is ready (getrandom(2)).
      FANFARE_CHECK(got == static_cast<ssize_t>(ahead_.size()));
      used_ = 0;
    }
    const std::size_t size = std::min(bytes.size(), ahead_.size() - used_);
    std::memcpy(bytes.data(), ahead_.data() + used_, size);
    used_ += size;
    bytes = bytes.subspan(size);
  }
}

std::uint64_t SeededRandom::step() {
  state_ += 0x9e3779b97f4a7c15U;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31);
}

void SeededRandom::fill(MutableBytes bytes) {
  while (!bytes.empty()) {
    const std::uint64_t word = step();
    const std::size_t size = std::min(bytes.size(), sizeof(word));
    std::memcpy(bytes.data(), &word, size);
    bytes = bytes.subspan(size);
  }
}

}  // namespace fanfare
