#include "net/certificate_for_tests.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/check.h"

namespace fanfare::net {
namespace {

void add_extension(X509* certificate, int kind, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void sign_by(X509* certificate, const TestCertificate& issuer) {
  std::FILE* file = std::fopen(issuer.certificate_file().c_str(), "r");
  FANFARE_CHECK(file != nullptr);
  X509* its_certificate = PEM_read_X509(file, nullptr, nullptr, nullptr);
  std::fclose(file);
  file = std::fopen(issuer.key_file().c_str(), "r");
  FANFARE_CHECK(file != nullptr);
  EVP_PKEY* its_key = PEM_read_PrivateKey(file, nullptr, nullptr, nullptr);
  std::fclose(file);
  X509_set_issuer_name(certificate, X509_get_subject_name(its_certificate));
  FANFARE_CHECK(X509_sign(certificate, its_key, EVP_sha256()) > 0);
  X509_free(its_certificate);
  EVP_PKEY_free(its_key);
}

}  // namespace

TestCertificate::TestCertificate(const std::string& name)
    : TestCertificate(TestCertificateOptions{.name = name}) {}

TestCertificate::TestCertificate(const TestCertificateOptions& options) {
  const std::string& name = options.name;
  std::string pattern = std::filesystem::temp_directory_path() / "fanfare-certificate-XXXXXX";
  FANFARE_CHECK(::mkdtemp(pattern.data()) != nullptr);
  folder_ = pattern;
  EVP_PKEY* key =
      options.rsa_bits > 0 ? EVP_RSA_gen(static_cast<unsigned>(options.rsa_bits)) : EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), options.valid_from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), options.valid_until_s);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  X509_set_pubkey(certificate, key);
  const std::string names = "DNS:" + name + ",IP:127.0.0.1";
  add_extension(certificate, NID_subject_alt_name, names);
  if (options.is_ca) add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  if (options.issuer != nullptr) {
    sign_by(certificate, *options.issuer);
  } else {
    FANFARE_CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
  }
  std::FILE* file = std::fopen(certificate_file().c_str(), "w");
  FANFARE_CHECK(file != nullptr && PEM_write_X509(file, certificate) == 1);
  std::fclose(file);
  file = std::fopen(key_file().c_str(), "w");
  FANFARE_CHECK(file != nullptr &&
                PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

TestCertificate::~TestCertificate() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace fanfare::net
