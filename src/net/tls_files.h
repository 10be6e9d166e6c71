#pragma once
// PEM files of certificates and keys, read with errors that name the file, what is wrong with it and what to
// do.

#include <cstddef>
#include <expected>
#include <string>
#include <vector>

struct ssl_ctx_st;

namespace fanfare::net {

// A file beyond this is no certificate.
inline constexpr std::size_t kPemBytesMax = std::size_t{1} << 20;
// Of a certificate's key; smaller ones can be broken (RFC9325§4.5).
inline constexpr int kRsaBitsMin = 2048;
inline constexpr int kEllipticBitsMin = 224;

// Makes the context show the certificate, with the chain behind it in its file, and sign with the key.
// Returns warnings, a line each: the certificate has expired or is not valid yet. One that has expired is
// used all the same: a gateway that does not start again helps nobody.
std::expected<std::vector<std::string>, std::string> use_certificate(ssl_ctx_st& context,
                                                                     const std::string& certificate_file,
                                                                     const std::string& key_file);

// Makes the context trust the certificates in the file, and no others.
std::expected<void, std::string> use_authorities(ssl_ctx_st& context, const std::string& ca_file);

}  // namespace fanfare::net
