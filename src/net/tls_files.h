#pragma once
// Reads PEM files of certificates and keys. Errors name the file, the problem and the remedy.

#include <cstddef>
#include <expected>
#include <string>
#include <vector>

struct ssl_ctx_st;

namespace fanfare::net {

// Larger files are not certificates.
inline constexpr std::size_t kPemBytesMax = std::size_t{1} << 20;
// Minimum sizes of a certificate's key; smaller keys can be broken (RFC9325§4.5).
inline constexpr int kRsaBitsMin = 2048;
inline constexpr int kEllipticBitsMin = 224;

// Configures the context with the certificate, the chain after it in its file, and the key. Returns warnings,
// one per line: the certificate has expired or is not valid yet. An expired certificate is still used,
// because a gateway that does not restart is worse.
std::expected<std::vector<std::string>, std::string> use_certificate(ssl_ctx_st& context,
                                                                     const std::string& certificate_file,
                                                                     const std::string& key_file);

// Makes the context trust only the certificates in the file.
std::expected<void, std::string> use_authorities(ssl_ctx_st& context, const std::string& ca_file);

// Makes the context refuse the certificates that the lists in the file revoke (RFC 5280). A certificate without a list of
// its issuer, or with one that has expired, is refused, too: nobody would know.
std::expected<void, std::string> use_revocations(ssl_ctx_st& context, const std::string& crl_file);

}  // namespace fanfare::net
