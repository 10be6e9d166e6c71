#include "devchain/bloom.h"

#include "devchain/keccak.h"

namespace fanfare::devchain {
namespace {

struct Bit {
  std::size_t byte;
  std::uint8_t mask;
};

std::array<Bit, 3> bits_of(Bytes value) {
  const Hash hash = keccak(value);
  std::array<Bit, 3> bits{};
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const unsigned bit = ((hash[2 * i] & 7U) << 8) | hash[2 * i + 1];
    bits[i] = {.byte = 255 - bit / 8, .mask = static_cast<std::uint8_t>(1U << (bit % 8))};
  }
  return bits;
}

}  // namespace

void bloom_add(Bloom& bloom, Bytes value) {
  for (const Bit bit : bits_of(value)) bloom[bit.byte] |= bit.mask;
}

bool bloom_may_contain(const Bloom& bloom, Bytes value) {
  for (const Bit bit : bits_of(value)) {
    if ((bloom[bit.byte] & bit.mask) == 0) return false;
  }
  return true;
}

}  // namespace fanfare::devchain
