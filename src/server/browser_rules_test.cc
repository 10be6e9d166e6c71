#include "server/browser_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/cors.h"

namespace fanfare::server {
namespace {

const BrowserRules kLoopbackDefaults({}, true);
const BrowserRules kPublicDefaults({}, false);

std::vector<HeaderField> host(std::string_view value) {
  return {{.name = "Host", .value = value}};
}

std::vector<HeaderField> origin(std::string_view value) {
  return {{.name = "host", .value = "127.0.0.1:8545"}, {.name = "origin", .value = value}};
}

std::string value_of(const std::vector<ws::OwnedHeader>& headers, std::string_view name) {
  std::string found;
  for (const ws::OwnedHeader& header : headers) {
    if (header.name == name) found += header.value;
  }
  return found;
}

TEST(BrowserRules, LoopbackNames) {
  for (const std::string_view name :
       {"localhost", "LOCALHOST", "localhost.", "app.localhost", "a.b.localhost", "127.0.0.1", "127.255.0.9",
        "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"}) {
    EXPECT_TRUE(is_loopback_name(name)) << name;
  }
  for (const std::string_view name :
       {"", ".", ".localhost", "localhost.evil.example", "notlocalhost", "127.0.0.1.evil.example", "127.1",
        "0.0.0.0", "128.0.0.1", "0x7f000001", "2130706433", "[::2]", "[::]", "[::ffff:128.0.0.1]", "::1",
        "[::1", "localhost\t", "evil.example/.localhost", "[127.0.0.1]"}) {
    EXPECT_FALSE(is_loopback_name(name)) << name;
  }
}

TEST(BrowserRules, OnLoopbackOnlyLoopbackHostsAreServed) {
  for (const std::string_view name : {"localhost", "localhost:8545", "127.0.0.1:1", "[::1]:8545", "[::1]",
                                      "x.localhost:65535", "LocalHost:80", "localhost:"}) {
    EXPECT_TRUE(kLoopbackDefaults.serves_host("/", host(name))) << name;
  }
  for (const std::string_view name :
       {"evil.example", "evil.example:8545", "", "localhost:port", "localhost:65536",
        "localhost@evil.example", "user@localhost", "localhost:80:80", "0.0.0.0:8545", "10.0.0.7", "[::1]x",
        "local host", "evil.example."}) {
    EXPECT_FALSE(kLoopbackDefaults.serves_host("/", host(name))) << name;
    EXPECT_TRUE(kPublicDefaults.serves_host("/", host(name))) << name;
  }
  // An HTTP/1.0 request without Host does not come from a browser.
  EXPECT_TRUE(kLoopbackDefaults.serves_host("/", {}));
}

TEST(BrowserRules, TheHostOfAnAbsoluteTargetCounts_RFC9112_3_2_2) {
  EXPECT_TRUE(kLoopbackDefaults.serves_host("http://localhost:8545/x", host("localhost")));
  EXPECT_FALSE(kLoopbackDefaults.serves_host("http://evil.example/x", host("localhost")));
  EXPECT_FALSE(kLoopbackDefaults.serves_host("HTTP://evil.example", host("localhost")));
  EXPECT_FALSE(kLoopbackDefaults.serves_host("http://localhost/", host("evil.example")));
}

TEST(BrowserRules, AllowedHostsReplaceTheDefault) {
  const BrowserRules rules(
      {.hosts = {"rpc.example", "*.Sub.example", "10.0.0.7", "[2001:DB8::1]"}, .origins = {}}, true);
  for (const std::string_view name : {"rpc.example", "RPC.example:443", "rpc.example.", "a.sub.example",
                                      "a.b.sub.example", "10.0.0.7:1", "[2001:db8::1]:4000"}) {
    EXPECT_TRUE(rules.serves_host("/", host(name))) << name;
  }
  for (const std::string_view name :
       {"localhost", "sub.example", "asub.example", "rpc.example.evil", "10.0.0.70"}) {
    EXPECT_FALSE(rules.serves_host("/", host(name))) << name;
  }
  const BrowserRules both({.hosts = {"loopback", "rpc.example"}, .origins = {}}, false);
  EXPECT_TRUE(both.serves_host("/", host("localhost")));
  EXPECT_TRUE(both.serves_host("/", host("rpc.example")));
  EXPECT_FALSE(both.serves_host("/", host("other.example")));
}

TEST(BrowserRules, OnLoopbackOnlyPagesOfLoopbackAsk) {
  for (const std::string_view page : {"http://localhost:3000", "https://localhost", "http://127.0.0.1:5173",
                                      "http://[::1]:8080", "http://dapp.localhost", "HTTP://LOCALHOST:1"}) {
    EXPECT_EQ(kLoopbackDefaults.caller_of(origin(page)), Caller::known_page) << page;
    EXPECT_EQ(kLoopbackDefaults.allowed_origin(origin(page)), std::string(page));
  }
  for (const std::string_view page :
       {"null", "", "https://evil.example", "http://localhost.evil.example", "http://evil.example:8545",
        "file://", "http://localhost:3000/path", "http://localhost:3000@evil.example", "ftp://localhost",
        "chrome-extension://abcdefgh", "http://localhost:99999", "http://localhost:", "localhost",
        "://localhost", "http://localhost, http://evil.example", "http://0.0.0.0:8545"}) {
    EXPECT_EQ(kLoopbackDefaults.caller_of(origin(page)), Caller::foreign_page) << page;
    EXPECT_EQ(kLoopbackDefaults.allowed_origin(origin(page)), std::nullopt) << page;
    EXPECT_EQ(kPublicDefaults.caller_of(origin(page)), Caller::unknown_page) << page;
    EXPECT_EQ(kPublicDefaults.allowed_origin(origin(page)), "*") << page;
  }
  EXPECT_EQ(kLoopbackDefaults.caller_of(host("localhost")), Caller::program);
  EXPECT_EQ(kPublicDefaults.caller_of(host("localhost")), Caller::program);
}

TEST(BrowserRules, OneOriginFieldOnly) {
  const std::vector<HeaderField> two{{.name = "Origin", .value = "http://localhost"},
                                     {.name = "Origin", .value = "http://localhost"}};
  EXPECT_EQ(kLoopbackDefaults.caller_of(two), Caller::foreign_page);
}

TEST(BrowserRules, AFormWithoutOriginIsOfAPage) {
  const std::vector<HeaderField> cross{{.name = "Sec-Fetch-Site", .value = "cross-site"}};
  EXPECT_EQ(kLoopbackDefaults.caller_of(cross), Caller::foreign_page);
  EXPECT_EQ(kPublicDefaults.caller_of(cross), Caller::unknown_page);
  const std::vector<HeaderField> own{{.name = "Sec-Fetch-Site", .value = "same-origin"}};
  EXPECT_EQ(kLoopbackDefaults.caller_of(own), Caller::program);
}

TEST(BrowserRules, AllowedOriginsReplaceTheDefault) {
  const BrowserRules rules(
      {.hosts = {},
       .origins = {"https://app.example", "https://*.Dapp.example", "http://dev.example:*",
                   "https://port.example:8443", "http://own.example:80", "chrome-extension://*"}},
      true);
  for (const std::string_view page :
       {"https://app.example", "https://a.dapp.example", "https://a.b.dapp.example", "http://dev.example",
        "http://dev.example:3000", "https://port.example:8443", "http://own.example",
        "chrome-extension://abc"}) {
    EXPECT_EQ(rules.caller_of(origin(page)), Caller::known_page) << page;
  }
  for (const std::string_view page :
       {"http://app.example", "https://app.example:444", "https://dapp.example", "https://evildapp.example",
        "https://dev.example", "https://port.example", "http://localhost:3000", "null", "moz-extension://abc",
        "https://app.example.evil.example"}) {
    EXPECT_EQ(rules.caller_of(origin(page)), Caller::foreign_page) << page;
  }
  const BrowserRules any({.hosts = {}, .origins = {"*", "loopback", "https://app.example", "null"}}, true);
  EXPECT_EQ(any.caller_of(origin("https://other.example")), Caller::unknown_page);
  EXPECT_EQ(any.caller_of(origin("https://app.example")), Caller::known_page);
  EXPECT_EQ(any.caller_of(origin("http://localhost:3000")), Caller::known_page);
  EXPECT_EQ(any.caller_of(origin("null")), Caller::known_page);
  EXPECT_EQ(any.allowed_origin(origin("https://app.example")), "*");
}

TEST(BrowserRules, PatternsOfTheConfiguration) {
  for (const std::string_view good : {"*", "loopback", "a.example", "*.a.example", "10.0.0.7", "[::1]"}) {
    EXPECT_TRUE(is_host_pattern(good)) << good;
  }
  for (const std::string_view bad :
       {"", "a.example:80", "http://a.example", "*a.example", "a.*", "[::1", "a b"}) {
    EXPECT_FALSE(is_host_pattern(bad)) << bad;
  }
  for (const std::string_view good :
       {"*", "loopback", "null", "https://a.example", "https://*.a.example:8443", "http://a.example:*",
        "http://[::1]:3000", "chrome-extension://*"}) {
    EXPECT_TRUE(is_origin_pattern(good)) << good;
  }
  for (const std::string_view bad :
       {"", "a.example", "https://", "https://a.example/", "https://a.example/x", "https://a.example:port",
        "https://u@a.example", "http://[::1", "://a"}) {
    EXPECT_FALSE(is_origin_pattern(bad)) << bad;
  }
}

TEST(Cors, EveryAnswerSaysWhoMayReadIt) {
  const auto own = cors_headers(kLoopbackDefaults, origin("http://localhost:3000"));
  EXPECT_EQ(value_of(own, "Access-Control-Allow-Origin"), "http://localhost:3000");
  EXPECT_EQ(value_of(own, "Vary"), "Origin");
  const auto foreign = cors_headers(kLoopbackDefaults, origin("https://evil.example"));
  EXPECT_EQ(value_of(foreign, "Access-Control-Allow-Origin"), "");
  EXPECT_EQ(value_of(foreign, "Vary"), "Origin");
  const auto any = cors_headers(kPublicDefaults, origin("https://any.example"));
  EXPECT_EQ(value_of(any, "Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(value_of(any, "Vary"), "");
}

TEST(Cors, APreflightAllowsOurHeadersAndThoseAskedFor) {
  auto asked = origin("http://localhost:3000");
  asked.push_back(
      {.name = "Access-Control-Request-Headers", .value = "x-api-key, traceparent,bad name,  ,X-Trace"});
  EXPECT_EQ(value_of(preflight_headers(kLoopbackDefaults, asked, true), "Access-Control-Allow-Methods"),
            "GET, POST, PUT, DELETE, OPTIONS");
  const auto headers = preflight_headers(kLoopbackDefaults, asked);
  EXPECT_EQ(value_of(headers, "Access-Control-Allow-Headers"),
            "Content-Type, Authorization, X-API-Key, X-Requested-With, Accept, traceparent, X-Trace");
  EXPECT_EQ(value_of(headers, "Access-Control-Allow-Methods"), "GET, POST, OPTIONS");
  EXPECT_EQ(value_of(headers, "Access-Control-Max-Age"), "86400");
  EXPECT_EQ(value_of(headers, "Access-Control-Allow-Private-Network"), "");
}

TEST(Cors, APreflightAllowsAtMostSoManyHeaders) {
  std::string many;
  for (std::size_t i = 0; i <= kAskedHeadersMax; ++i) many += "x-h" + std::to_string(i) + ",";
  auto asked = origin("http://localhost:3000");
  asked.push_back({.name = "Access-Control-Request-Headers", .value = many});
  const std::string allowed =
      value_of(preflight_headers(kLoopbackDefaults, asked), "Access-Control-Allow-Headers");
  EXPECT_TRUE(allowed.contains("x-h" + std::to_string(kAskedHeadersMax - 1)));
  EXPECT_FALSE(allowed.contains("x-h" + std::to_string(kAskedHeadersMax)));
}

TEST(Cors, ThePrivateNetworkIsOpenedToPagesThatAreNamed) {
  const auto ask = [](std::string_view page) {
    auto asked = origin(page);
    asked.push_back({.name = "Access-Control-Request-Private-Network", .value = "true"});
    return asked;
  };
  const std::string_view name = "Access-Control-Allow-Private-Network";
  const BrowserRules named({.hosts = {}, .origins = {"https://app.example", "*"}}, false);
  EXPECT_EQ(value_of(preflight_headers(named, ask("https://app.example")), name), "true");
  EXPECT_EQ(value_of(preflight_headers(named, ask("https://other.example")), name), "");
  EXPECT_EQ(value_of(preflight_headers(kPublicDefaults, ask("https://app.example")), name), "");
}

}  // namespace
}  // namespace fanfare::server
