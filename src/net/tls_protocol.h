#pragma once
// The TLS versions and ciphers in use. The defaults are modern: only ephemeral keys and authenticated
// encryption (RFC9325§4.2), so no RSA key exchange and no CBC.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

struct ssl_ctx_st;

namespace fanfare::net {

enum class TlsVersion : std::uint8_t { tls12, tls13 };

// RFC9325§4.2, with ChaCha20-Poly1305 for clients without AES in hardware (RFC7905).
inline constexpr std::string_view kModernCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
// RFC8446§9.1.
inline constexpr std::string_view kModernCipherSuites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

struct TlsProtocol {
  TlsVersion min_version = TlsVersion::tls12;
  // OpenSSL names separated by ':', in order of preference; no classes and no operators ("HIGH", "!aNULL").
  std::string ciphers = {};        // for TLS 1.2; "": kModernCiphers
  std::string cipher_suites = {};  // for TLS 1.3; "": kModernCipherSuites

  bool operator==(const TlsProtocol&) const = default;
};

// The error names the invalid cipher.
std::expected<void, std::string> check_protocol(const TlsProtocol& protocol);
std::expected<void, std::string> apply_protocol(const TlsProtocol& protocol, ssl_ctx_st& context);

}  // namespace fanfare::net
