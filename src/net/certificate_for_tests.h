#pragma once
// Generated certificates for tests: a key and a self-signed certificate for a name, as PEM files in a folder
// that is deleted with the object.

#include <string>

namespace fanfare::net {

struct TestCertificateOptions {
  std::string name = "localhost";
  int rsa_bits = 0;           // 0: a key on P-256
  long valid_from_s = -3600;  // relative to now
  long valid_until_s = 24L * 3600;
  bool is_ca = false;                             // it may sign others
  const class TestCertificate* issuer = nullptr;  // null: self-signed
};

class TestCertificate {
 public:
  explicit TestCertificate(const std::string& name = "localhost");
  explicit TestCertificate(const TestCertificateOptions& options);
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;
  ~TestCertificate();

  // The certificate file is also the CA file that trusts it.
  std::string certificate_file() const { return folder_ + "/certificate.pem"; }
  std::string key_file() const { return folder_ + "/key.pem"; }
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
};

}  // namespace fanfare::net
