#pragma once
// Recoverable ECDSA over secp256k1, as Ethereum signs: deterministic nonces (RFC 6979), low s.

#include <optional>

#include "devchain/types.h"

namespace fanfare::devchain {

struct Signature {
  Hash r{};
  Hash s{};
  std::uint8_t parity = 0;  // of the point's y: 0 or 1
};

// The last 20 bytes of the Keccak hash of the public key. `key` must be a valid secret key (nearly every 32
// bytes are).
Address address_of_key(const Hash& key);
bool valid_key(const Hash& key);
Signature sign(const Hash& digest, const Hash& key);
// The signer's address; empty if r or s is out of range, s is in the upper half, or no point matches.
std::optional<Address> recover(const Hash& digest, const Signature& signature);

}  // namespace fanfare::devchain
