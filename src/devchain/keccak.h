#pragma once
// Keccak-256 with the original padding, Ethereum's hash (not NIST's SHA3-256).

#include "devchain/types.h"

namespace fanfare::devchain {

Hash keccak(Bytes bytes);

}  // namespace fanfare::devchain
