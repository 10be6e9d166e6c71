#include "net/tls_files.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "base/check.h"
#include "net/socket.h"

namespace fanfare::net {
namespace {

using Unexpected = std::unexpected<std::string>;
using Source = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// The content of a file, which may be secret: wiped on destruction.
struct Pem {
  std::string name;  // "key file \"/etc/key.pem\"", the start of error messages
  std::string text;

  Pem(std::string_view what, const std::string& path) : name(std::string(what) + " file \"" + path + "\"") {}
  Pem(Pem&&) = default;
  Pem& operator=(Pem&&) = delete;
  ~Pem() { OPENSSL_cleanse(text.data(), text.size()); }

  Unexpected error(const std::string& why) const { return Unexpected(name + ": " + why); }
  Source source() const {
    Source source(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
    FANFARE_CHECK(source != nullptr);
    return source;
  }
  bool has(std::string_view words) const { return text.contains(words); }
};

std::string system_error(int code) {
  std::string why = ::strerrordesc_np(code);
  if (code == EACCES) why += ": allow the user that runs this to read it";
  return why;
}

std::expected<Pem, std::string> read_pem(std::string_view what, const std::string& path) {
  Pem pem(what, path);
  if (path.empty()) return pem.error("no path is given");
  // Non-blocking: a FIFO without a writer must not block the process.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return pem.error(system_error(errno));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return pem.error(system_error(errno));
  if (S_ISDIR(status.st_mode)) return pem.error("it is a directory, expected a PEM file");
  if (!S_ISREG(status.st_mode)) return pem.error("it is not a regular file, expected a PEM file");
  if (static_cast<std::size_t>(status.st_size) > kPemBytesMax) {
    return pem.error("it has " + std::to_string(status.st_size) + " bytes, at most " +
                     std::to_string(kPemBytesMax) + " are read");
  }
  pem.text.resize(static_cast<std::size_t>(status.st_size));
  std::size_t size = 0;
  while (size < pem.text.size()) {
    const ssize_t got = ::read(file.get(), pem.text.data() + size, pem.text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return pem.error(system_error(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  pem.text.resize(size);
  return pem;
}

// Why the file contains no `thing`.
std::string without(const Pem& pem, std::string_view thing) {
  const std::string wanted = std::string("expected PEM with a ") + std::string(thing);
  if (pem.text.find_first_not_of(" \t\r\n") == std::string::npos) return "it is empty, " + wanted;
  const bool has_key = pem.has("PRIVATE KEY-----");
  const bool has_certificate = pem.has("-----BEGIN CERTIFICATE-----");
  if (thing == "certificate" && has_key && !has_certificate) {
    return "it has a key and no certificate: are the two files mixed up?";
  }
  if (thing == "key" && has_certificate && !has_key) {
    return "it has a certificate and no key: are the two files mixed up?";
  }
  // X.690: a SEQUENCE of a two-byte length.
  if (pem.text.starts_with("\x30\x82")) {
    return "it is DER, " + wanted + ": convert it with `openssl " + (thing == "key" ? "pkey" : "x509") +
           " -inform der`";
  }
  return "no " + std::string(thing) + " to be read in it, " + wanted;
}

// A server cannot ask for a passphrase. By default OpenSSL would ask at the terminal and block.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

// Reads the next certificate; null at the end. An error means that it is malformed.
std::expected<Certificate, std::string> next_certificate(const Pem& pem, BIO& source) {
  ERR_clear_error();
  Certificate read(PEM_read_bio_X509_AUX(&source, nullptr, &no_passphrase, nullptr), &X509_free);
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (read != nullptr) return read;
  if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE) return read;
  return pem.error("one of its certificates is damaged: copy it again from where it was issued");
}

// Reads all certificates in order; there must be at least one.
std::expected<std::vector<Certificate>, std::string> read_certificates(const Pem& pem) {
  const Source source = pem.source();
  std::vector<Certificate> certificates;
  for (;;) {
    auto next = next_certificate(pem, *source);
    if (!next) return Unexpected(next.error());
    if (*next == nullptr) break;
    certificates.push_back(std::move(*next));
  }
  if (certificates.empty()) return pem.error(without(pem, "certificate"));
  return certificates;
}

std::expected<Key, std::string> read_key(const Pem& pem) {
  const Source source = pem.source();
  ERR_clear_error();
  Key key(PEM_read_bio_PrivateKey(source.get(), nullptr, &no_passphrase, nullptr), &EVP_PKEY_free);
  if (key != nullptr) return key;
  bool encrypted = false;
  while (const unsigned long code = ERR_get_error()) {
    encrypted =
        encrypted || (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ);
  }
  if (encrypted) return pem.error("it is encrypted, expected a key without a passphrase");
  if (pem.has("PRIVATE KEY-----")) {
    return pem.error("its key is damaged: copy it again, or make a new key and certificate");
  }
  return pem.error(without(pem, "key"));
}

// Why a public key's size is insufficient; empty: it is sufficient.
std::optional<std::string> find_small_key(const EVP_PKEY& key) {
  const int bits = EVP_PKEY_get_bits(&key);
  const bool is_rsa = EVP_PKEY_get_base_id(&key) == EVP_PKEY_RSA;
  const bool is_elliptic = EVP_PKEY_get_base_id(&key) == EVP_PKEY_EC;
  const int least = is_rsa ? kRsaBitsMin : is_elliptic ? kEllipticBitsMin : 0;
  if (bits >= least) return std::nullopt;
  return "key too small: " + std::to_string(bits) + " bits, at least " + std::to_string(least) +
         (is_rsa ? " for RSA" : " for an elliptic curve") + ": make a new key and certificate";
}

std::string text_of(const ASN1_TIME& time) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), &BIO_free);
  FANFARE_CHECK(text != nullptr);
  ASN1_TIME_print(text.get(), &time);
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::vector<std::string> find_warnings(const Pem& pem, const X509& certificate) {
  std::vector<std::string> warnings;
  const ASN1_TIME* ends = X509_get0_notAfter(&certificate);
  const ASN1_TIME* begins = X509_get0_notBefore(&certificate);
  if (X509_cmp_current_time(ends) < 0) {
    warnings.push_back(pem.name + ": the certificate expired on " + text_of(*ends) +
                       ": clients refuse it until it is renewed");
  }
  if (X509_cmp_current_time(begins) > 0) {
    warnings.push_back(pem.name + ": the certificate is not valid before " + text_of(*begins) +
                       ": clients refuse it until then, or this machine's clock is wrong");
  }
  return warnings;
}

// OpenSSL's reason for rejecting a certificate that could be read.
std::string refusal() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return std::string("it cannot be used (") + (reason == nullptr ? "unknown reason" : reason) +
         "): make a new key and certificate, signed with SHA-256 or better";
}

}  // namespace

std::expected<std::vector<std::string>, std::string> use_certificate(ssl_ctx_st& context,
                                                                     const std::string& certificate_file,
                                                                     const std::string& key_file) {
  const auto pem = read_pem("certificate", certificate_file);
  if (!pem) return Unexpected(pem.error());
  auto certificates = read_certificates(*pem);
  if (!certificates) return Unexpected(certificates.error());
  const auto key_pem = read_pem("key", key_file);
  if (!key_pem) return Unexpected(key_pem.error());
  const auto key = read_key(*key_pem);
  if (!key) return Unexpected(key.error());

  X509* const own = certificates->front().get();
  const EVP_PKEY* public_key = X509_get0_pubkey(own);
  if (public_key == nullptr) return pem->error("the kind of its key is unknown to OpenSSL");
  if (X509_check_private_key(own, key->get()) != 1) {
    ERR_clear_error();
    return Unexpected(key_pem->name + " does not belong to " + pem->name +
                      ": use the key that the certificate was made for");
  }
  if (const auto small = find_small_key(*public_key)) return pem->error(*small);

  ERR_clear_error();
  if (SSL_CTX_use_certificate(&context, own) != 1) return pem->error(refusal());
  SSL_CTX_clear_chain_certs(&context);
  for (std::size_t i = 1; i < certificates->size(); ++i) {
    if (SSL_CTX_add1_chain_cert(&context, (*certificates)[i].get()) != 1) return pem->error(refusal());
  }
  if (SSL_CTX_use_PrivateKey(&context, key->get()) != 1) return key_pem->error(refusal());
  return find_warnings(*pem, *own);
}

std::expected<void, std::string> use_authorities(ssl_ctx_st& context, const std::string& ca_file) {
  const auto pem = read_pem("CA", ca_file);
  if (!pem) return Unexpected(pem.error());
  const auto certificates = read_certificates(*pem);
  if (!certificates) return Unexpected(certificates.error());
  X509_STORE* store = SSL_CTX_get_cert_store(&context);
  for (const Certificate& certificate : *certificates) {
    if (X509_STORE_add_cert(store, certificate.get()) != 1) return pem->error(refusal());
  }
  return {};
}

std::expected<void, std::string> use_revocations(ssl_ctx_st& context, const std::string& crl_file) {
  const auto pem = read_pem("CRL", crl_file);
  if (!pem) return Unexpected(pem.error());
  const Source source = pem->source();
  X509_STORE* store = SSL_CTX_get_cert_store(&context);
  std::size_t count = 0;
  for (;; ++count) {
    const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> list(
        PEM_read_bio_X509_CRL(source.get(), nullptr, &no_passphrase, nullptr), &X509_CRL_free);
    if (list == nullptr) break;
    if (X509_STORE_add_crl(store, list.get()) != 1) return pem->error(refusal());
  }
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const bool is_end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (!is_end) return pem->error("one of its lists is damaged: copy it again from where it was issued");
  if (count == 0) return pem->error(without(*pem, "revocation list (X509 CRL)"));
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return {};
}

}  // namespace fanfare::net
