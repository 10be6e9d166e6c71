#include "devchain/keccak.h"

#include <cryptopp/keccak.h>

namespace fanfare::devchain {

Hash keccak(Bytes bytes) {
  Hash digest;
  CryptoPP::Keccak_256 hasher;
  hasher.Update(bytes.data(), bytes.size());
  hasher.Final(digest.data());
  return digest;
}

}  // namespace fanfare::devchain
