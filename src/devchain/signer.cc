#include "devchain/signer.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include <algorithm>

#include "base/check.h"
#include "devchain/keccak.h"

namespace fanfare::devchain {
namespace {

// Created once, because its tables take time; read-only afterwards, on any thread.
const secp256k1_context* context() {
  static const secp256k1_context* const made =
      // NOLINTNEXTLINE(misc-redundant-expression): the library's flags share a bit
      secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
  return made;
}

Address address_of_public(const secp256k1_pubkey& key) {
  std::array<std::uint8_t, 65> point{};
  std::size_t size = point.size();
  FANFARE_CHECK(
      secp256k1_ec_pubkey_serialize(context(), point.data(), &size, &key, SECP256K1_EC_UNCOMPRESSED) == 1);
  return address_of_word(keccak(Bytes(point).subspan(1)));
}

}  // namespace

bool valid_key(const Hash& key) {
  return secp256k1_ec_seckey_verify(context(), key.data()) == 1;
}

Address address_of_key(const Hash& key) {
  secp256k1_pubkey point;
  FANFARE_CHECK(secp256k1_ec_pubkey_create(context(), &point, key.data()) == 1);
  return address_of_public(point);
}

Signature sign(const Hash& digest, const Hash& key) {
  secp256k1_ecdsa_recoverable_signature made;
  FANFARE_CHECK(secp256k1_ecdsa_sign_recoverable(context(), &made, digest.data(), key.data(),
                                                 secp256k1_nonce_function_rfc6979, nullptr) == 1);
  std::array<std::uint8_t, 64> compact{};
  int parity = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), compact.data(), &parity, &made);
  Signature signature{.parity = static_cast<std::uint8_t>(parity)};
  std::copy_n(compact.begin(), 32, signature.r.begin());
  std::copy_n(compact.begin() + 32, 32, signature.s.begin());
  return signature;
}

std::optional<Address> recover(const Hash& digest, const Signature& signature) {
  std::array<std::uint8_t, 64> compact{};
  std::ranges::copy(signature.r, compact.begin());
  std::ranges::copy(signature.s, compact.begin() + 32);
  secp256k1_ecdsa_signature plain;
  if (secp256k1_ecdsa_signature_parse_compact(context(), &plain, compact.data()) != 1) return std::nullopt;
  if (secp256k1_ecdsa_signature_normalize(context(), nullptr, &plain) == 1) return std::nullopt;
  secp256k1_ecdsa_recoverable_signature recoverable;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &recoverable, compact.data(),
                                                          signature.parity) != 1) {
    return std::nullopt;
  }
  secp256k1_pubkey key;
  if (secp256k1_ecdsa_recover(context(), &key, &recoverable, digest.data()) != 1) return std::nullopt;
  return address_of_public(key);
}

}  // namespace fanfare::devchain
