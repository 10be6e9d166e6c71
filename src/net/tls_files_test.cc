// Errors for unusable certificates and keys: the file, the problem, the remedy.

#include "net/tls_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "net/certificate_for_tests.h"
#include "net/tls.h"

namespace fanfare::net {
namespace {

std::string read_all(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The error of a server with these files; "" if it can be created.
std::string error_of(const std::string& certificate_file, const std::string& key_file) {
  const auto context = TlsContext::server({.certificate_file = certificate_file, .key_file = key_file});
  return context ? "" : context.error();
}

class TlsFiles : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = good_.folder() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  std::string named(const std::string& path) { return "\"" + path + "\""; }

  TestCertificate good_;
  const std::string certificate_ = good_.certificate_file();
  const std::string key_ = good_.key_file();
};

TEST_F(TlsFiles, AGoodPairIsUsedWithoutWarnings) {
  const auto context = TlsContext::server({.certificate_file = certificate_, .key_file = key_});
  ASSERT_TRUE(context) << context.error();
  EXPECT_TRUE((*context)->warnings().empty());
}

TEST_F(TlsFiles, EveryUnusableFileIsNamedWithTheReason) {
  const std::string folder = good_.folder();
  const std::string empty = write("empty.pem", "");
  const std::string blank = write("blank.pem", " \n\n");
  const std::string junk = write("junk.pem", "no PEM at all\n");
  const std::string der = write("der.pem", "\x30\x82\x01\x0a");
  const std::string certificate_text = read_all(certificate_);
  const std::string damaged = write("damaged.pem", certificate_text.substr(0, certificate_text.size() / 2) +
                                                       "\n-----END CERTIFICATE-----\n");
  const std::string bad_chain = write(
      "bad_chain.pem", certificate_text + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const std::string damaged_key =
      write("damaged_key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  const std::string huge = write("huge.pem", std::string(kPemBytesMax + 1, '\n'));
  const std::string fifo = folder + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);

  struct Row {
    std::string certificate, key, error;
  };
  const std::vector<Row> table{
      {"", key_, "certificate file \"\": no path is given"},
      {"/no/such.pem", key_, "certificate file \"/no/such.pem\": No such file or directory"},
      {folder, key_, "certificate file " + named(folder) + ": it is a directory, expected a PEM file"},
      {fifo, key_, "certificate file " + named(fifo) + ": it is not a regular file, expected a PEM file"},
      {empty, key_, "certificate file " + named(empty) + ": it is empty, expected PEM with a certificate"},
      {blank, key_, "certificate file " + named(blank) + ": it is empty, expected PEM with a certificate"},
      {junk, key_,
       "certificate file " + named(junk) +
           ": no certificate to be read in it, expected PEM with a certificate"},
      {der, key_,
       "certificate file " + named(der) +
           ": it is DER, expected PEM with a certificate: convert it with `openssl x509 -inform der`"},
      {damaged, key_,
       "certificate file " + named(damaged) +
           ": one of its certificates is damaged: copy it again from where it was issued"},
      {bad_chain, key_,
       "certificate file " + named(bad_chain) +
           ": one of its certificates is damaged: copy it again from where it was issued"},
      {huge, key_, "certificate file " + named(huge) + ": it has 1048577 bytes, at most 1048576 are read"},
      {key_, key_,
       "certificate file " + named(key_) + ": it has a key and no certificate: are the two files mixed up?"},
      {certificate_, "", "key file \"\": no path is given"},
      {certificate_, "/no/such.pem", "key file \"/no/such.pem\": No such file or directory"},
      {certificate_, folder, "key file " + named(folder) + ": it is a directory, expected a PEM file"},
      {certificate_, empty, "key file " + named(empty) + ": it is empty, expected PEM with a key"},
      {certificate_, junk, "key file " + named(junk) + ": no key to be read in it, expected PEM with a key"},
      {certificate_, certificate_,
       "key file " + named(certificate_) + ": it has a certificate and no key: are the two files mixed up?"},
      {certificate_, damaged_key,
       "key file " + named(damaged_key) +
           ": its key is damaged: copy it again, or make a new key and certificate"},
  };
  for (const Row& row : table) EXPECT_EQ(error_of(row.certificate, row.key), row.error);
}

TEST_F(TlsFiles, AFileOfTheLargestSizeIsRead) {
  std::string text = read_all(certificate_);
  text.append(kPemBytesMax - text.size(), '\n');
  EXPECT_EQ(error_of(write("largest.pem", text), key_), "");
}

TEST_F(TlsFiles, AnRsaKeyOf2048BitsIsTheSmallest) {
  const TestCertificate small(TestCertificateOptions{.rsa_bits = 1024});
  EXPECT_EQ(error_of(small.certificate_file(), small.key_file()),
            "certificate file " + named(small.certificate_file()) +
                ": key too small: 1024 bits, at least 2048 for RSA: make a new key and certificate");
  const TestCertificate large_enough(TestCertificateOptions{.rsa_bits = 2048});
  EXPECT_EQ(error_of(large_enough.certificate_file(), large_enough.key_file()), "");
}

TEST_F(TlsFiles, AnotherCertificatesKeyIsSaidToBeThat) {
  const TestCertificate same_kind;
  const TestCertificate other_kind(TestCertificateOptions{.rsa_bits = 2048});
  for (const TestCertificate* other : {&same_kind, &other_kind}) {
    EXPECT_EQ(error_of(certificate_, other->key_file()),
              "key file " + named(other->key_file()) + " does not belong to certificate file " +
                  named(certificate_) + ": use the key that the certificate was made for");
  }
}

TEST_F(TlsFiles, AnExpiredCertificateIsUsedWithAWarning) {
  const TestCertificate expired(TestCertificateOptions{.valid_from_s = -7200, .valid_until_s = -3600});
  const auto context =
      TlsContext::server({.certificate_file = expired.certificate_file(), .key_file = expired.key_file()});
  ASSERT_TRUE(context) << context.error();
  ASSERT_EQ((*context)->warnings().size(), 1U);
  EXPECT_TRUE((*context)->warnings().front().starts_with(
      "certificate file " + named(expired.certificate_file()) + ": the certificate expired on "))
      << (*context)->warnings().front();
}

TEST_F(TlsFiles, ACertificateOfTheFutureIsUsedWithAWarning) {
  const TestCertificate early(TestCertificateOptions{.valid_from_s = 3600, .valid_until_s = 7200});
  const auto context =
      TlsContext::server({.certificate_file = early.certificate_file(), .key_file = early.key_file()});
  ASSERT_TRUE(context) << context.error();
  ASSERT_EQ((*context)->warnings().size(), 1U);
  EXPECT_NE((*context)->warnings().front().find("not valid before"), std::string::npos);
}

TEST_F(TlsFiles, TheChainBehindTheCertificateIsRead) {
  const TestCertificate above(TestCertificateOptions{.rsa_bits = 2048});
  EXPECT_EQ(error_of(write("chain.pem", read_all(certificate_) + read_all(above.certificate_file())), key_),
            "");
}

TEST_F(TlsFiles, AnAuthorityFileIsNamedAsWell) {
  const auto missing = TlsContext::client({.ca_file = "/no/such.pem"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), "CA file \"/no/such.pem\": No such file or directory");
  const auto folder = TlsContext::client({.ca_file = good_.folder()});
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error(), "CA file " + named(good_.folder()) + ": it is a directory, expected a PEM file");
}

}  // namespace
}  // namespace fanfare::net
