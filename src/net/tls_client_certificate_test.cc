// Certificates of clients: which ones a server accepts, what it knows of them, and what it says about the rest.

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>

#include "net/certificate_for_tests.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls.h"

namespace fanfare::net {
namespace {

using namespace std::chrono_literals;

struct Side {
  Stream* stream = nullptr;
  bool secured = false;
  std::string received;
  std::string error;
};

class SideHandler final : public TransportHandler {
 public:
  explicit SideHandler(Side& side) : side_(side) {}

 private:
  void on_adopted(Stream& stream) override { side_.stream = &stream; }
  void on_secured() override { side_.secured = true; }
  void on_receive(MutableBytes bytes) override { side_.received += as_text(bytes); }
  void on_end() override {}
  void on_lost(const OsError& error) override { side_.error = error.detail; }
  void on_detached() override { side_.stream = nullptr; }
  Side& side_;
};

// A list of the certificate's authority, which is the certificate itself. `serial`: the one revoked; 0: none.
void write_crl(const TestCertificate& authority, const std::string& path, long serial, long next_update_s) {
  std::FILE* file = std::fopen(authority.key_file().c_str(), "r");
  EVP_PKEY* key = PEM_read_PrivateKey(file, nullptr, nullptr, nullptr);
  std::fclose(file);
  file = std::fopen(authority.certificate_file().c_str(), "r");
  X509* certificate = PEM_read_X509(file, nullptr, nullptr, nullptr);
  std::fclose(file);
  X509_CRL* list = X509_CRL_new();
  X509_CRL_set_version(list, X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list, X509_get_subject_name(certificate));
  ASN1_TIME* time = X509_gmtime_adj(nullptr, -7200);
  X509_CRL_set1_lastUpdate(list, time);
  X509_gmtime_adj(time, next_update_s);
  X509_CRL_set1_nextUpdate(list, time);
  if (serial != 0) {
    X509_REVOKED* revoked = X509_REVOKED_new();
    ASN1_INTEGER* number = ASN1_INTEGER_new();
    ASN1_INTEGER_set(number, serial);
    X509_REVOKED_set_serialNumber(revoked, number);
    X509_gmtime_adj(time, -3600);
    X509_REVOKED_set_revocationDate(revoked, time);
    X509_CRL_add0_revoked(list, revoked);
    ASN1_INTEGER_free(number);
  }
  X509_CRL_sort(list);
  EXPECT_GT(X509_CRL_sign(list, key, EVP_sha256()), 0);
  file = std::fopen(path.c_str(), "w");
  EXPECT_EQ(PEM_write_X509_CRL(file, list), 1);
  std::fclose(file);
  ASN1_TIME_free(time);
  X509_CRL_free(list);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

class ClientCertificateTest : public testing::TestWithParam<LoopKind> {
 protected:
  ClientCertificateTest() : loop_(std::move(Loop::create({.kind = GetParam()}).value())) {}

  // Both ends, until they have heard from each other or one has failed.
  void connect(const std::string& authorities, const TestCertificate* shown, const std::string& crl = "") {
    server_ = {};
    client_ = {};
    const auto server = TlsContext::server({.certificate_file = server_certificate_.certificate_file(),
                                            .key_file = server_certificate_.key_file(),
                                            .client_ca_file = authorities,
                                            .client_crl_file = crl});
    ASSERT_TRUE(server) << server.error();
    TlsClientOptions options{.ca_file = server_certificate_.certificate_file()};
    if (shown != nullptr) {
      options.certificate_file = shown->certificate_file();
      options.key_file = shown->key_file();
    }
    const auto client = TlsContext::client(options);
    ASSERT_TRUE(client) << client.error();
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    adopt(server_, ends[0]).start_tls(*server, TlsRole::server);
    adopt(client_, ends[1]).start_tls(*client, TlsRole::client, "localhost");
    client_.stream->append(as_bytes("hello"));
    EXPECT_TRUE(run_until([&] { return server_.received == "hello" || !server_.error.empty(); }));
  }
  std::optional<PeerCertificate> known() const { return server_.stream->tls()->peer_certificate(); }

  Stream& adopt(Side& side, int fd) {
    return loop_->adopt(std::make_unique<SideHandler>(side), Descriptor(fd));
  }
  template <typename Condition>
  bool run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_->run_once(1ms);
    }
    return true;
  }

  TestCertificate server_certificate_;
  TestCertificate billing_{TestCertificateOptions{.name = "billing"}};
  Side server_;
  Side client_;
  std::unique_ptr<Loop> loop_;
};

TEST_P(ClientCertificateTest, AGoodOneIsKnownByFingerprintAndSubject) {
  connect(billing_.certificate_file(), &billing_);
  ASSERT_EQ(server_.received, "hello") << server_.error;
  const auto certificate = known();
  ASSERT_TRUE(certificate);
  EXPECT_EQ(certificate->subject, "CN=billing");
  EXPECT_NE(certificate->sha256, PeerCertificate{}.sha256);
  EXPECT_GT(certificate->valid_until, system_clock().wall_now() + 23h);
  EXPECT_LT(certificate->valid_until, system_clock().wall_now() + 25h);
}

TEST_P(ClientCertificateTest, WithoutOneTheClientIsServedUnknown) {
  connect(billing_.certificate_file(), nullptr);
  ASSERT_EQ(server_.received, "hello") << server_.error;
  EXPECT_FALSE(known());
}

TEST_P(ClientCertificateTest, AServerThatDoesNotAskIsShownNone) {
  connect("", &billing_);
  ASSERT_EQ(server_.received, "hello") << server_.error;
  EXPECT_FALSE(known());
}

// The name alone proves nothing.
TEST_P(ClientCertificateTest, OneOfAForeignAuthorityFailsTheHandshake) {
  const TestCertificate foreign(TestCertificateOptions{.name = "billing"});
  connect(billing_.certificate_file(), &foreign);
  EXPECT_EQ(server_.received, "");
  EXPECT_NE(server_.error.find("certificate not accepted: "), std::string::npos) << server_.error;
}

TEST_P(ClientCertificateTest, AnExpiredOneFailsTheHandshake) {
  const TestCertificate expired(
      TestCertificateOptions{.name = "billing", .valid_from_s = -7200, .valid_until_s = -3600});
  connect(expired.certificate_file(), &expired);
  EXPECT_EQ(server_.received, "");
  EXPECT_NE(server_.error.find("certificate has expired"), std::string::npos) << server_.error;
}

TEST_P(ClientCertificateTest, ARevokedOneFailsTheHandshake_RFC5280_5) {
  const std::string crl = billing_.folder() + "/crl.pem";
  write_crl(billing_, crl, 0, 3600);
  connect(billing_.certificate_file(), &billing_, crl);
  EXPECT_EQ(server_.received, "hello") << server_.error;
  write_crl(billing_, crl, 1, 3600);  // the serial number of test certificates
  connect(billing_.certificate_file(), &billing_, crl);
  EXPECT_EQ(server_.received, "");
  EXPECT_NE(server_.error.find("revoked"), std::string::npos) << server_.error;
}

TEST_P(ClientCertificateTest, AnExpiredListRefusesEverybody) {
  const std::string crl = billing_.folder() + "/crl.pem";
  write_crl(billing_, crl, 0, -60);
  connect(billing_.certificate_file(), &billing_, crl);
  EXPECT_EQ(server_.received, "");
  EXPECT_NE(server_.error.find("CRL has expired"), std::string::npos) << server_.error;
}

TEST_P(ClientCertificateTest, FilesThatCannotBeUsedSayWhy) {
  TlsServerOptions options{.certificate_file = server_certificate_.certificate_file(),
                           .key_file = server_certificate_.key_file(),
                           .client_ca_file = "/nonexistent/ca.pem"};
  EXPECT_NE(TlsContext::server(options).error().find("/nonexistent/ca.pem"), std::string::npos);
  options.client_ca_file = billing_.certificate_file();
  options.client_crl_file = billing_.certificate_file();
  EXPECT_NE(TlsContext::server(options).error().find("revocation list"), std::string::npos);
  const std::string damaged = billing_.folder() + "/damaged.pem";
  std::ofstream(damaged) << "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
  options.client_crl_file = damaged;
  EXPECT_NE(TlsContext::server(options).error().find("damaged"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Loops, ClientCertificateTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& info) {
                           return std::string(info.param == LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::net
