#pragma once
// The 2048-bit logs bloom of a block or a receipt (Yellow Paper, section 4.3.1): three bits per value, each
// chosen by 11 bits of the value's Keccak hash.

#include <array>

#include "devchain/types.h"

namespace fanfare::devchain {

using Bloom = std::array<std::uint8_t, 256>;

void bloom_add(Bloom& bloom, Bytes value);
// False: the value was certainly never added.
bool bloom_may_contain(const Bloom& bloom, Bytes value);

}  // namespace fanfare::devchain
