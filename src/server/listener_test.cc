#include "server/listener.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfare::server {
namespace {

TEST(Listener, UnixPathComesWithItsMode) {
  const std::vector<ListenerOptions> path{{.unix_path = "/run/fanfare.sock", .unix_mode = 0660}};
  const auto prepared = Listeners::prepare(path);
  ASSERT_TRUE(prepared) << prepared.error().message;
  EXPECT_EQ(prepared->all().front().address.text(), "unix:/run/fanfare.sock");
  EXPECT_EQ(prepared->all().front().unix_mode, 0660U);
  EXPECT_FALSE(prepared->has_certificates());
}

TEST(Listener, SaysWhatCannotBe) {
  const auto error_of = [](ListenerOptions options) {
    return Listeners::prepare(std::vector{std::move(options)}).error();
  };
  EXPECT_NE(error_of({.unix_path = std::string(200, 'x')}).message.find("Unix socket path"),
            std::string::npos);
  EXPECT_EQ(error_of({.host = "no.such.host"}).kind, Error::Kind::bad_option);
  const Error no_file = error_of(
      {.tls = net::TlsServerOptions{.certificate_file = "/no/such.pem", .key_file = "/no/such.pem"}});
  EXPECT_EQ(no_file.kind, Error::Kind::tls);
  EXPECT_NE(no_file.message.find("/no/such.pem"), std::string::npos);
}

TEST(Listener, OnlyLoopbackItselfIsOnLoopback) {
  const auto is_local = [](ListenerOptions plan) { return is_on_loopback(plan); };
  for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "localhost"})
    EXPECT_TRUE(is_local({.host = host})) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.7", "2001:db8::1"})
    EXPECT_FALSE(is_local({.host = host})) << host;
  // Listeners for proxies: their clients may be elsewhere.
  EXPECT_FALSE(is_local({.host = "127.0.0.1", .proxy_protocol = true}));
  EXPECT_FALSE(is_local({.unix_path = "/run/fanfare.sock"}));
}

TEST(Listener, AnInheritedSocketIsWhereItIs) {
  const auto is_local = [](const char* host) {
    const auto socket = net::listen_on(*net::Address::parse(host, 0));
    ListenerOptions plan{.host = "127.0.0.1"};
    plan.inherited_fd = socket->get();
    return is_on_loopback(plan);
  };
  EXPECT_TRUE(is_local("127.0.0.1"));
  EXPECT_FALSE(is_local("0.0.0.0"));
}

}  // namespace
}  // namespace fanfare::server
