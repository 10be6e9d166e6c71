#include "net/peer_certificate.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>
#include <string_view>

namespace fanfare::net {
namespace {

std::string subject_of(const X509& certificate) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), &BIO_free);
  const X509_NAME* const name = X509_get_subject_name(&certificate);
  if (text == nullptr || X509_NAME_print_ex(text.get(), name, 0, XN_FLAG_RFC2253) < 0) return "";
  const char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  return size <= 0 ? "" : std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

std::optional<PeerCertificate> peer_certificate(const ssl_st& session) {
  const X509* const certificate = SSL_get0_peer_certificate(&session);
  if (certificate == nullptr || SSL_get_verify_result(&session) != X509_V_OK) return std::nullopt;
  PeerCertificate found{.subject = subject_of(*certificate), .valid_until = {}};
  unsigned size = 0;
  std::tm end{};
  if (X509_digest(certificate, EVP_sha256(), found.sha256.data(), &size) != 1 ||
      ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) {
    return std::nullopt;
  }
  found.valid_until = WallTime(std::chrono::seconds(::timegm(&end)));
  return found;
}

}  // namespace fanfare::net
