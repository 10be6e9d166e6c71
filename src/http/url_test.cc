#include "http/url.h"

#include <gtest/gtest.h>

namespace fanfare::http {
namespace {

Url good(std::string_view text) {
  const auto url = parse_url(text);
  EXPECT_TRUE(url) << url.error();
  return url.value_or(Url{});
}

std::string bad(std::string_view text) {
  const auto url = parse_url(text);
  EXPECT_FALSE(url) << text;
  return url ? "" : url.error();
}

TEST(Url, EverySchemeHasItsPort_RFC6455_3) {
  EXPECT_EQ(good("ws://a").port, 80);
  EXPECT_EQ(good("wss://a").port, 443);
  EXPECT_EQ(good("http://a").port, 80);
  EXPECT_EQ(good("HTTPS://a").port, 443);
  EXPECT_TRUE(good("wss://a").is_tls());
  EXPECT_TRUE(good("https://a").is_tls());
  EXPECT_FALSE(good("ws://a").is_tls());
  EXPECT_TRUE(good("ws://a").is_websocket());
  EXPECT_FALSE(good("http://a").is_websocket());
}

TEST(Url, Parts) {
  const Url url = good("wss://us%40er:p%3Aw@Example.COM:8443/a/b?c=d&e");
  EXPECT_EQ(url.scheme, Scheme::wss);
  EXPECT_EQ(url.user, "us@er");
  EXPECT_EQ(url.password, "p:w");
  EXPECT_EQ(url.host, "example.com");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.target, "/a/b?c=d&e");
  EXPECT_EQ(url.authority(), "example.com:8443");
  EXPECT_EQ(url.text(), "wss://example.com:8443/a/b?c=d&e");
}

TEST(Url, TheTargetBeginsWithASlash) {
  EXPECT_EQ(good("ws://a").target, "/");
  EXPECT_EQ(good("ws://a/").target, "/");
  EXPECT_EQ(good("ws://a?b").target, "/?b");
  EXPECT_EQ(good("ws://a/b@c:d").target, "/b@c:d");
}

TEST(Url, TheTargetIsEscapedWhereItHasTo_RFC3986_2_1) {
  EXPECT_EQ(good("ws://a/b|c?d=\"100%\"|\xC3\xA9").target, "/b%7Cc?d=%22100%%22|%C3%A9");
  EXPECT_EQ(good("ws://a?\xC3\xA9").target, "/?%C3%A9");
  EXPECT_EQ(good("ws+unix:/run/a.sock:/b|c").target, "/b%7Cc");
}

TEST(Url, TheHostHeaderLeavesOutTheSchemesOwnPort_RFC6455_4_1) {
  EXPECT_EQ(good("ws://a:80").authority(), "a");
  EXPECT_EQ(good("wss://a:80").authority(), "a:80");
  EXPECT_EQ(good("wss://a:443").authority(), "a");
}

TEST(Url, Ipv6_RFC3986_3_2_2) {
  const Url url = good("ws://[::1]:8546/x");
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.port, 8546);
  EXPECT_TRUE(url.is_ipv6());
  EXPECT_EQ(url.authority(), "[::1]:8546");
  for (const std::string_view address : {"::", "1::", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8",
                                         "1:2:3:4:5:6:1.2.3.4", "1::3:4:5:6:7:8", "FE80::a"}) {
    EXPECT_EQ(good("ws://[" + std::string(address) + "]").host, address);
  }
  for (const std::string_view address :
       {":", ":::", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "::1:2:3:4:5:6:7:8",
        "12345::", "::1.2.3", "::1.2.3.4.5", "::256.1.1.1", "::01.2.3.4", "1.2.3.4::", "::-1", "::1%eth0",
        "::1:"}) {
    bad("ws://[" + std::string(address) + "]");
  }
  EXPECT_EQ(good("ws://[2001:db8::7]").authority(), "[2001:db8::7]");
  for (const std::string_view text :
       {"ws://[::1", "ws://[]", "ws://[1.2.3.4]", "ws://[::1]x", "ws://[g::]", "ws://::1"}) {
    bad(text);
  }
}

TEST(Url, UnixSockets) {
  const Url url = good("ws+unix:/run/fanfare.sock:/path?x");
  EXPECT_EQ(url.scheme, Scheme::ws_unix);
  EXPECT_EQ(url.socket_path, "/run/fanfare.sock");
  EXPECT_EQ(url.target, "/path?x");
  EXPECT_EQ(url.authority(), "localhost");
  EXPECT_TRUE(url.is_websocket());
  EXPECT_EQ(good("ws+unix:///run/a.sock").socket_path, "/run/a.sock");
  EXPECT_EQ(good("ws+unix:/run/a.sock").target, "/");
  EXPECT_EQ(good("ws+unix:////run/a.sock").text(), "ws+unix:/run/a.sock:/");
  bad("ws+unix:////");
  bad("ws+unix:/run/:/x");
  bad("ws+unix:run/a.sock");
  bad("ws+unix:");
  bad("ws+unix:/a:b");
}

TEST(Url, ErrorsQuoteWhatIsWrong) {
  EXPECT_EQ(bad("ftp://x"),
            "invalid URL \"ftp://x\": unknown scheme \"ftp\" (expected ws, wss, http, https or ws+unix)");
  EXPECT_EQ(bad("localhost:80"),
            "invalid URL \"localhost:80\": missing scheme (expected ws, wss, http, https or ws+unix)");
  EXPECT_EQ(bad("ws://a:70000"),
            "invalid URL \"ws://a:70000\": invalid port \"70000\" (expected 1 to 65535)");
  EXPECT_EQ(bad("ws://a b"), "invalid URL \"ws://a b\": space or control byte");
  EXPECT_EQ(bad("ws://a#b"), "invalid URL \"ws://a#b\": a fragment (\"#\") is not allowed");
  EXPECT_EQ(bad("ws://"), "invalid URL \"ws://\": missing host");
  EXPECT_EQ(bad("ws:/a"), "invalid URL \"ws:/a\": expected \"//\" after the scheme");
  EXPECT_EQ(bad("ws://a_(b)"), "invalid URL \"ws://a_(b)\": invalid host \"a_(b)\"");
  for (const std::string_view text :
       {"", "ws", "ws://a:", "ws://a:0", "ws://a:-1", "ws://a:1x", "ws://:80", "ws://@", "ws://u%zz@a",
        "ws://a\r\nX: y", "ws://a\x7F", "http://a:80:80"}) {
    bad(text);
  }
}

TEST(Url, PasswordsStayOutOfErrors) {
  EXPECT_EQ(bad("ws://me:secret@host:0/"),
            "invalid URL \"ws://***@host:0/\": invalid port \"0\" (expected 1 to 65535)");
  EXPECT_EQ(bad("ftp://me:secret@host").find("secret"), std::string::npos);
  EXPECT_EQ(bad("me:secret@host").find("secret"), std::string::npos);
}

}  // namespace
}  // namespace fanfare::http
