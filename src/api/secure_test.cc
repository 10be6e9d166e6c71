// wss:// end to end, and which peers are trusted.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "api/raw_client_for_tests.h"
#include "fanfare/client.h"
#include "fanfare/server.h"
#include "net/certificate_for_tests.h"

namespace fanfare {
namespace {

using api::RawClient;
using testing::HasSubstr;
using testing::StartsWith;

constexpr auto echo = [](Session& session, const Message& message) { session.send(message); };

// The echo of "hello" for a client that trusts `ca_file`, or the reason why it does not connect.
std::string echoed(const std::string& url, const std::string& ca_file) {
  std::string result;
  Client client({.url = url, .tls = {.ca_file = ca_file}, .reconnect = {.enabled = false}},
                {.open = [](Client& self, const Opened&) { self.send("hello"); },
                 .message =
                     [&](Client& self, const Message& message) {
                       result = message.text();
                       self.close();
                     },
                 .failed =
                     [&](Client&, const Error& error, std::optional<std::chrono::milliseconds>) {
                       result = error.kind == Error::Kind::tls ? "tls" : error.message;
                     }});
  EXPECT_TRUE(client.start());
  client.run();
  return result;
}

TEST(SecureServer, ServesTlsAndTakesARenewedCertificate) {
  const net::TestCertificate first;
  const net::TestCertificate second;
  const std::string certificate =
      testing::TempDir() + "fanfare-api-" + std::to_string(::getpid()) + "-cert.pem";
  const std::string key = testing::TempDir() + "fanfare-api-" + std::to_string(::getpid()) + "-key.pem";
  const auto install = [&](const net::TestCertificate& from) {
    constexpr auto overwrite = std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy_file(from.certificate_file(), certificate, overwrite);
    std::filesystem::copy_file(from.key_file(), key, overwrite);
  };
  install(first);
  Server server({.port = 0, .tls = Tls{.certificate_file = certificate, .key_file = key}, .threads = 1});
  server.websocket("/", {.message = echo});
  const auto started = server.start();
  ASSERT_TRUE(started) << started.error().message;
  const std::string url = "wss://localhost:" + std::to_string(server.port());
  EXPECT_EQ(echoed(url, first.certificate_file()), "hello");
  EXPECT_EQ(echoed(url, second.certificate_file()), "tls");

  install(second);
  ASSERT_TRUE(server.reload_certificates());
  EXPECT_EQ(echoed(url, second.certificate_file()), "hello");
  EXPECT_EQ(echoed(url, first.certificate_file()), "tls");

  std::filesystem::remove(key);
  const auto reloaded = server.reload_certificates();
  ASSERT_FALSE(reloaded);
  EXPECT_EQ(reloaded.error().kind, Error::Kind::tls);
  EXPECT_THAT(reloaded.error().message, HasSubstr(key));
  EXPECT_EQ(echoed(url, second.certificate_file()), "hello");
  std::filesystem::remove(certificate);
}

TEST(SecureServer, SaysWhichFileIsMissing) {
  Server server({.port = 0, .tls = Tls{.certificate_file = "/no/such/file.pem", .key_file = "/no/key.pem"}});
  const auto started = server.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, Error::Kind::tls);
  EXPECT_THAT(started.error().message, HasSubstr("/no/such/file.pem"));
  EXPECT_EQ(server.reload_certificates().error().kind, Error::Kind::wrong_state);
}

// At the start, and at a reload, which keeps the previous certificate.
TEST(SecureServer, SaysWhatIsWrongWithACertificate) {
  const net::TestCertificate good;
  const net::TestCertificate weak(net::TestCertificateOptions{.rsa_bits = 1024});
  const auto error_with = [](const Tls& tls) {
    Server server({.port = 0, .tls = tls, .threads = 1});
    const auto started = server.start();
    return started ? Error{} : started.error();
  };
  const Error small = error_with({.certificate_file = weak.certificate_file(), .key_file = weak.key_file()});
  EXPECT_EQ(small.kind, Error::Kind::tls);
  EXPECT_THAT(small.message, HasSubstr(weak.certificate_file()));
  EXPECT_THAT(small.message, HasSubstr("key too small: 1024 bits, at least 2048"));
  const Error mixed = error_with({.certificate_file = good.certificate_file(), .key_file = weak.key_file()});
  EXPECT_EQ(mixed.kind, Error::Kind::tls);
  EXPECT_THAT(mixed.message, HasSubstr(weak.key_file() + "\" does not belong to certificate file"));

  Server server({.port = 0,
                 .tls = Tls{.certificate_file = good.certificate_file(), .key_file = good.key_file()},
                 .threads = 1});
  server.websocket("/", {.message = echo});
  ASSERT_TRUE(server.start());
  constexpr auto overwrite = std::filesystem::copy_options::overwrite_existing;
  const std::string trusted = good.folder() + "/trusted.pem";
  std::filesystem::copy_file(good.certificate_file(), trusted);
  std::filesystem::copy_file(weak.certificate_file(), good.certificate_file(), overwrite);
  EXPECT_THAT(server.reload_certificates().error().message, HasSubstr("does not belong to"));
  std::filesystem::copy_file(weak.key_file(), good.key_file(), overwrite);
  EXPECT_THAT(server.reload_certificates().error().message, HasSubstr("key too small"));
  EXPECT_EQ(echoed("wss://localhost:" + std::to_string(server.port()), trusted), "hello");
}

TEST(SecureServer, CiphersAndVersionsAreOptionsOfBothSides) {
  const net::TestCertificate certificate;
  const auto tls = [&](TlsVersion version, const std::string& ciphers) {
    return Tls{.certificate_file = certificate.certificate_file(),
               .key_file = certificate.key_file(),
               .min_version = version,
               .ciphers = ciphers};
  };
  Server wrong({.port = 0, .tls = tls(TlsVersion::tls12, "HIGH")});
  const auto refused = wrong.start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Error::Kind::bad_option);
  EXPECT_THAT(refused.error().message, StartsWith("tls.ciphers: TLS 1.2 cipher \"HIGH\""));
  Client client({.url = "wss://localhost:1", .tls = {.cipher_suites = "HIGH"}}, {});
  const auto not_started = client.start();
  ASSERT_FALSE(not_started);
  EXPECT_THAT(not_started.error().message, StartsWith("tls.cipher_suites: TLS 1.3 cipher suite \"HIGH\""));

  Server server({.port = 0, .tls = tls(TlsVersion::tls13, ""), .threads = 1});
  server.websocket("/", {.message = echo});
  ASSERT_TRUE(server.start());
  EXPECT_EQ(echoed("wss://localhost:" + std::to_string(server.port()), certificate.certificate_file()),
            "hello");
}

TEST(SecureServer, AnAddressMayHaveItsShareOfConnectionsAndNoMore) {
  Server server({.port = 0, .threads = 2, .limits = {.connections_per_address_max = 2}});
  server.websocket("/", {.message = echo});
  ASSERT_TRUE(server.start());
  RawClient one(server.port());
  RawClient two(server.port());
  EXPECT_THAT(one.upgrade("/"), StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(two.upgrade("/"), StartsWith("HTTP/1.1 101 "));
  RawClient three(server.port());
  EXPECT_EQ(three.receive(), "EOF");
}

TEST(SecureServer, BelievesThePeerOfAProxyHeader) {
  Server server({.port = 0, .proxy_protocol = true, .threads = 1});
  server.http("GET", "/", [](const Request& request) -> Response { return {.body = request.peer()}; });
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.write("PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n");
  EXPECT_THAT(client.request("GET", "/"), HasSubstr("192.0.2.7:5000"));
}

}  // namespace
}  // namespace fanfare
