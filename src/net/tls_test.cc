// Two streams of one loop with TLS between them.

#include "net/tls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "net/certificate_for_tests.h"
#include "net/loop.h"

namespace fanfare::net {
namespace {

using namespace std::chrono_literals;

struct Diary {
  std::string received;
  std::vector<std::string> events;
  std::string error;
  Stream* stream = nullptr;
  bool echo = false;
};

class PlainHandler final : public TransportHandler {
 public:
  explicit PlainHandler(Diary& diary) : diary_(diary) {}

 private:
  void on_adopted(Stream& stream) override { diary_.stream = &stream; }
  void on_secured() override { diary_.events.emplace_back("secured"); }
  void on_receive(MutableBytes bytes) override {
    diary_.received += as_text(bytes);
    if (diary_.echo) diary_.stream->append(bytes);
  }
  void on_end() override { diary_.events.emplace_back("end"); }
  void on_lost(const OsError& error) override {
    diary_.events.emplace_back("lost");
    diary_.error = error.detail;
  }
  void on_detached() override { diary_.stream = nullptr; }
  Diary& diary_;
};

class TlsTest : public testing::TestWithParam<LoopKind> {
 protected:
  TlsTest() : loop_(std::move(Loop::create({.kind = GetParam()}).value())) {}

  std::shared_ptr<const TlsContext> server_context() {
    return TlsContext::server(
               {.certificate_file = certificate_.certificate_file(), .key_file = certificate_.key_file()})
        .value();
  }
  std::shared_ptr<const TlsContext> client_context(bool trusting = true) {
    TlsClientOptions options;
    if (trusting) options.ca_file = certificate_.certificate_file();
    return TlsContext::client(options).value();
  }

  std::array<int, 2> socket_pair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    return ends;
  }
  Stream& adopt(Diary& diary, int fd) {
    return loop_->adopt(std::make_unique<PlainHandler>(diary), Descriptor(fd));
  }
  void connect(std::string_view server_name, bool trusting = true) {
    const auto ends = socket_pair();
    adopt(server_, ends[0]).start_tls(server_context(), TlsRole::server);
    adopt(client_, ends[1]).start_tls(client_context(trusting), TlsRole::client, server_name);
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

  TestCertificate certificate_;
  Diary server_;
  Diary client_;
  std::unique_ptr<Loop> loop_;
};

TEST_P(TlsTest, CarriesPlainBytesBothWaysAfterTheHandshake) {
  connect("localhost");
  client_.stream->append(as_bytes("queued before the handshake"));
  server_.echo = true;
  ASSERT_TRUE(run_until([&] { return client_.received.size() == 27; }));
  EXPECT_EQ(client_.received, "queued before the handshake");
  EXPECT_EQ(client_.events, (std::vector<std::string>{"secured"}));
  EXPECT_EQ(client_.stream->tls()->version(), "TLSv1.3");
  EXPECT_EQ(client_.stream->tls()->alpn(), "http/1.1");
}

TEST_P(TlsTest, CarriesMoreThanManyRecords) {
  connect("localhost");
  server_.echo = true;
  std::string big;
  for (int i = 0; big.size() < 3'000'000; ++i) big += std::to_string(i);
  client_.stream->push(SharedBytes(as_bytes(big)));
  ASSERT_TRUE(run_until([&] { return client_.received.size() == big.size(); }));
  EXPECT_EQ(client_.received, big);
  EXPECT_EQ(client_.stream->queued_bytes(), 0U);
}

// As at an upgrade: later bytes go to the new handler.
TEST_P(TlsTest, AHandlerIsReplacedUnderTls) {
  connect("localhost");
  ASSERT_TRUE(run_until([&] { return !server_.events.empty() && !client_.events.empty(); }));
  Diary next;
  next.stream = server_.stream;
  Stream& stream = *server_.stream;
  stream.set_handler(std::make_unique<PlainHandler>(next));
  client_.stream->append(as_bytes("to the second"));
  next.echo = true;
  ASSERT_TRUE(run_until([&] { return client_.received.size() == 13; }));
  EXPECT_EQ(next.received, "to the second");
  EXPECT_EQ(server_.received, "");
  EXPECT_EQ(stream.tls()->version(), "TLSv1.3");
  client_.stream->finish_writing();
  ASSERT_TRUE(run_until([&] { return !next.events.empty(); }));
  EXPECT_EQ(next.events, (std::vector<std::string>{"end"}));
  EXPECT_EQ(server_.events, (std::vector<std::string>{"secured"}));
  stream.close();
  EXPECT_TRUE(run_until([&] { return next.stream == nullptr; }));
}

TEST_P(TlsTest, CertificateIsCheckedAgainstTheAddressToo) {
  connect("127.0.0.1");
  EXPECT_TRUE(run_until([&] { return !client_.events.empty(); }));
  EXPECT_EQ(client_.events.front(), "secured");
}

TEST_P(TlsTest, CertificateForAnotherNameIsRefusedWithTheReason) {
  connect("other.example");
  ASSERT_TRUE(run_until([&] { return client_.stream == nullptr && server_.stream == nullptr; }));
  EXPECT_EQ(client_.events, (std::vector<std::string>{"lost"}));
  EXPECT_EQ(client_.error, "certificate not accepted: hostname mismatch");
}

TEST_P(TlsTest, CertificateNobodyTrustsIsRefused) {
  connect("localhost", false);
  ASSERT_TRUE(run_until([&] { return client_.stream == nullptr; }));
  EXPECT_NE(client_.error.find("certificate not accepted: "), std::string::npos);
}

TEST_P(TlsTest, PlainTextToATlsServerEndsWithAnError) {
  const auto ends = socket_pair();
  adopt(server_, ends[0]).start_tls(server_context(), TlsRole::server);
  adopt(client_, ends[1]).append(as_bytes("GET / HTTP/1.1\r\n\r\n"));
  ASSERT_TRUE(run_until([&] { return server_.stream == nullptr; }));
  EXPECT_EQ(server_.events, (std::vector<std::string>{"lost"}));
  EXPECT_EQ(server_.error, "http request");
}

TEST_P(TlsTest, FinishWritingSaysGoodbyeAfterTheLastBytes) {
  connect("localhost");
  client_.stream->append(as_bytes("last"));
  client_.stream->finish_writing();
  ASSERT_TRUE(run_until([&] { return server_.events.size() == 2; }));
  EXPECT_EQ(server_.received, "last");
  EXPECT_EQ(server_.events.back(), "end");
}

TEST_P(TlsTest, BeginsInTheMiddleOfAConnection) {
  const auto ends = socket_pair();
  adopt(server_, ends[0]);
  adopt(client_, ends[1]).append(as_bytes("CONNECT"));
  ASSERT_TRUE(run_until([&] { return server_.received == "CONNECT"; }));
  server_.stream->start_tls(server_context(), TlsRole::server);
  client_.stream->start_tls(client_context(), TlsRole::client, "localhost");
  client_.stream->append(as_bytes(" and on"));
  EXPECT_TRUE(run_until([&] { return server_.received == "CONNECT and on"; }));
}

TEST_P(TlsTest, FilesThatAreNotThereAreNamed) {
  const auto missing = TlsContext::server({.certificate_file = "/no/such.pem", .key_file = "/no/key.pem"});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().find("\"/no/such.pem\""), std::string::npos);
  const TestCertificate other;
  const auto mixed =
      TlsContext::server({.certificate_file = certificate_.certificate_file(), .key_file = other.key_file()});
  ASSERT_FALSE(mixed);
  EXPECT_NE(mixed.error().find(other.key_file()), std::string::npos);
}

// Creates a test file with these bytes.
std::string file_with(const std::string& content) {
  std::string path = testing::TempDir() + "fanfare_tls_test_XXXXXX";
  const int fd = ::mkstemp(path.data());
  EXPECT_EQ(::write(fd, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  ::close(fd);
  return path;
}

TEST_P(TlsTest, FilesThatCannotBeUsedSayWhy) {
  const auto missing = TlsContext::server({.certificate_file = "/no/such.pem", .key_file = "/no/key.pem"});
  EXPECT_EQ(missing.error(), "certificate file \"/no/such.pem\": No such file or directory");
  const std::string junk = file_with("junk\n");
  const auto no_certificate = TlsContext::server({.certificate_file = junk, .key_file = junk});
  EXPECT_EQ(
      no_certificate.error(),
      "certificate file \"" + junk + "\": no certificate to be read in it, expected PEM with a certificate");
  const auto no_key =
      TlsContext::server({.certificate_file = certificate_.certificate_file(), .key_file = junk});
  EXPECT_EQ(no_key.error(), "key file \"" + junk + "\": no key to be read in it, expected PEM with a key");
  const auto no_authority = TlsContext::client({.verify = true, .ca_file = junk});
  EXPECT_EQ(no_authority.error(),
            "CA file \"" + junk + "\": no certificate to be read in it, expected PEM with a certificate");
  ::unlink(junk.c_str());
}

// If OpenSSL asked for the passphrase at the terminal, this would block forever.
TEST_P(TlsTest, EncryptedKeyIsRefusedWithoutAsking) {
  std::FILE* plain = std::fopen(certificate_.key_file().c_str(), "r");
  EVP_PKEY* key = PEM_read_PrivateKey(plain, nullptr, nullptr, nullptr);
  std::fclose(plain);
  const std::string path = file_with("");
  std::FILE* encrypted = std::fopen(path.c_str(), "w");
  ASSERT_EQ(PEM_write_PKCS8PrivateKey(encrypted, key, EVP_aes_256_cbc(), "secret", 6, nullptr, nullptr), 1);
  std::fclose(encrypted);
  EVP_PKEY_free(key);
  const auto refused =
      TlsContext::server({.certificate_file = certificate_.certificate_file(), .key_file = path});
  EXPECT_EQ(refused.error(),
            "key file \"" + path + "\": it is encrypted, expected a key without a passphrase");
  ::unlink(path.c_str());
}

TEST_P(TlsTest, PlainTextFromAServerIsToldAsSuch) {
  const auto ends = socket_pair();
  adopt(client_, ends[0]).start_tls(client_context(), TlsRole::client, "localhost");
  adopt(server_, ends[1]).append(as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n"));
  ASSERT_TRUE(run_until([&] { return client_.stream == nullptr; }));
  EXPECT_EQ(client_.error, "what the peer sent is not TLS");
}

INSTANTIATE_TEST_SUITE_P(Kinds, TlsTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& kind) { return kind.param == LoopKind::epoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace fanfare::net
