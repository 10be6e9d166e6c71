#include "net/tls_protocol.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <ranges>

#include "base/check.h"

namespace fanfare::net {
namespace {

// 112 bits: RSA keys of 2048 bits, SHA-2 signatures. Set explicitly, so that distribution defaults do not
// matter.
constexpr int kSecurityLevel = 2;

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// Why a TLS 1.2 cipher cannot be used; empty: it can.
std::optional<std::string> find_wrong_cipher(const SSL_CTX& all, std::string_view name) {
  const STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(&all);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(ciphers, i);
    if (name != SSL_CIPHER_get_name(cipher)) continue;
    if (std::string_view(SSL_CIPHER_get_version(cipher)) == "TLSv1.3") return "belongs to TLS 1.3";
    if (SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null) return "proves nobody's identity";
    if (SSL_CIPHER_get_cipher_nid(cipher) == NID_undef) return "encrypts nothing";
    return std::nullopt;
  }
  return "is unknown to OpenSSL; `openssl ciphers -s -tls1_2` shows the names";
}

std::expected<void, std::string> check_ciphers(std::string_view names) {
  const Context all(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  FANFARE_CHECK(all != nullptr);
  SSL_CTX_set_security_level(all.get(), 0);
  SSL_CTX_set_cipher_list(all.get(), "ALL:COMPLEMENTOFALL");
  for (const auto part : std::views::split(names, ':')) {
    const std::string_view name(part.begin(), part.end());
    if (const auto wrong = find_wrong_cipher(*all, name)) {
      return std::unexpected("TLS 1.2 cipher \"" + std::string(name) + "\" " + *wrong);
    }
  }
  return {};
}

std::expected<void, std::string> check_cipher_suites(std::string_view names) {
  const Context any(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  FANFARE_CHECK(any != nullptr);
  for (const auto part : std::views::split(names, ':')) {
    const std::string name(part.begin(), part.end());
    // OpenSSL treats an empty name as an empty list.
    if (!name.empty() && SSL_CTX_set_ciphersuites(any.get(), name.c_str()) == 1) continue;
    ERR_clear_error();
    return std::unexpected("TLS 1.3 cipher suite \"" + name +
                           "\" is unknown to OpenSSL; `openssl ciphers -s -tls1_3` shows the names");
  }
  return {};
}

}  // namespace

std::expected<void, std::string> check_protocol(const TlsProtocol& protocol) {
  const Context any(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  FANFARE_CHECK(any != nullptr);
  return apply_protocol(protocol, *any);
}

std::expected<void, std::string> apply_protocol(const TlsProtocol& protocol, ssl_ctx_st& context) {
  if (!protocol.ciphers.empty()) {
    if (auto checked = check_ciphers(protocol.ciphers); !checked) return checked;
  }
  if (!protocol.cipher_suites.empty()) {
    if (auto checked = check_cipher_suites(protocol.cipher_suites); !checked) return checked;
  }
  const std::string ciphers = protocol.ciphers.empty() ? std::string(kModernCiphers) : protocol.ciphers;
  const std::string suites =
      protocol.cipher_suites.empty() ? std::string(kModernCipherSuites) : protocol.cipher_suites;
  SSL_CTX_set_security_level(&context, kSecurityLevel);
  SSL_CTX_set_min_proto_version(&context,
                                protocol.min_version == TlsVersion::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  FANFARE_CHECK(SSL_CTX_set_ciphersuites(&context, suites.c_str()) == 1);
  if (SSL_CTX_set_cipher_list(&context, ciphers.c_str()) != 1) {
    ERR_clear_error();
    return std::unexpected("none of the TLS 1.2 ciphers \"" + ciphers + "\" is strong enough to be used");
  }
  return {};
}

}  // namespace fanfare::net
