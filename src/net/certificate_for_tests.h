#pragma once
// Certificates made on the spot: a key and a self-signed certificate for a name, as PEM files in a folder
// that goes away with the object.

#include <string>

namespace fanfare::net {

class TestCertificate {
 public:
  explicit TestCertificate(const std::string& name = "localhost");
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;
  ~TestCertificate();

  // The certificate file is also the CA file that trusts it.
  std::string certificate_file() const { return folder_ + "/certificate.pem"; }
  std::string key_file() const { return folder_ + "/key.pem"; }

 private:
  std::string folder_;
};

}  // namespace fanfare::net
