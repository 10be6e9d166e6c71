#pragma once
// The certificate of a connection's other end, once TLS has verified it.

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"

struct ssl_st;

namespace fanfare::net {

struct PeerCertificate {
  std::array<std::uint8_t, 32> sha256{};  // of the certificate in DER: what openssl calls its fingerprint
  std::string subject;                    // as in RFC 4514: "CN=billing,O=Example"
  WallTime valid_until;
};

// Empty: it showed none.
std::optional<PeerCertificate> peer_certificate(const ssl_st& session);

}  // namespace fanfare::net
