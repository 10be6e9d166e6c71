#include "ws/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fanfare::ws {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// The request of RFC6455§1.3, modified by each test.
struct Request {
  std::string_view method = "GET";
  int major = 1;
  int minor = 1;
  std::string_view target = "/chat";
  std::vector<HeaderField> headers{
      {"Host", "server.example.com"},  {"Upgrade", "websocket"},
      {"Connection", "Upgrade"},       {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
      {"Sec-WebSocket-Version", "13"},
  };

  Request& set(std::string_view name, std::string_view value) {
    remove(name);
    return add(name, value);
  }
  Request& add(std::string_view name, std::string_view value) {
    headers.push_back({name, value});
    return *this;
  }
  Request& remove(std::string_view name) {
    std::erase_if(headers, [&](const HeaderField& field) { return field.name == name; });
    return *this;
  }
  std::expected<UpgradeAccept, UpgradeRefusal> asked(const UpgradePolicy& policy = {}) const {
    return accept_upgrade({.method = method,
                           .version_major = major,
                           .version_minor = minor,
                           .target = target,
                           .headers = headers},
                          policy);
  }
};

void expect_refused(const Request& request, Rule rule, int status, const UpgradePolicy& policy = {}) {
  const auto answer = request.asked(policy);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(info(answer.error().rule).name, info(rule).name);
  EXPECT_EQ(answer.error().status, status);
  EXPECT_EQ(answer.error().reason,
            "broken rule: " + std::string(info(rule).sentence) + " (" + std::string(info(rule).clause) + ")");
}

TEST(Handshake, AcceptsTheRequestOfTheStandard_RFC6455_1_3) {
  const auto answer = Request().asked();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->response(),
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            "\r\n");
  EXPECT_EQ(answer->subprotocol, "");
  EXPECT_FALSE(answer->deflate.has_value());
}

TEST(Handshake, TellsUpgradesFromOrdinaryRequests) {
  EXPECT_TRUE(is_upgrade(Request().headers));
  EXPECT_TRUE(is_upgrade(Request().set("Upgrade", "h2c, WebSocket").headers));
  EXPECT_FALSE(is_upgrade(Request().set("Upgrade", "h2c").headers));
  EXPECT_FALSE(is_upgrade(Request().remove("Upgrade").headers));
}

TEST(Handshake, RefusesOtherMethods_RFC6455_4_2_1) {
  Request request;
  for (const char* method : {"POST", "HEAD", "get", "CONNECT", ""}) {
    request.method = method;
    expect_refused(request, Rule::handshake_method_not_get, 405);
  }
  EXPECT_THAT(request.asked().error().headers, ElementsAre(OwnedHeader{"Allow", "GET"}));
}

TEST(Handshake, RefusesOldHttp_RFC6455_4_2_1) {
  Request request;
  request.minor = 0;
  expect_refused(request, Rule::handshake_http_version_too_low, 505);
  request.major = 0;
  request.minor = 9;
  expect_refused(request, Rule::handshake_http_version_too_low, 505);
}

TEST(Handshake, RefusesTargetsThatAreNoResourceName_RFC6455_4_2_1) {
  Request request;
  for (const char* target : {"", "*", "chat", "/chat#part", "/a b", "/a\x01", "://x", "http://"}) {
    request.target = target;
    expect_refused(request, Rule::handshake_target_invalid, 400);
  }
  for (const char* target : {"/", "/chat?a=b&c", "http://server.example.com/chat", "/\xc3\xa9"}) {
    request.target = target;
    EXPECT_TRUE(request.asked().has_value()) << target;
  }
}

TEST(Handshake, WantsOneHost_RFC6455_4_2_1) {
  expect_refused(Request().remove("Host"), Rule::handshake_host_missing, 400);
  expect_refused(Request().set("Host", ""), Rule::handshake_host_missing, 400);
  expect_refused(Request().add("host", "other.example.com"), Rule::handshake_host_missing, 400);
}

TEST(Handshake, WantsUpgradeToNameWebsocket_RFC6455_4_2_1) {
  expect_refused(Request().remove("Upgrade"), Rule::handshake_upgrade_missing, 426);
  expect_refused(Request().set("Upgrade", "websockets"), Rule::handshake_upgrade_missing, 426);
  expect_refused(Request().set("Upgrade", "web socket"), Rule::handshake_upgrade_missing, 426);
  EXPECT_THAT(Request().remove("Upgrade").asked().error().headers,
              ElementsAre(OwnedHeader{"Upgrade", "websocket"}));
  EXPECT_TRUE(Request().set("Upgrade", "WebSocket").asked().has_value());
  EXPECT_TRUE(Request().set("Upgrade", "h2c , WEBSOCKET").asked().has_value());
  EXPECT_TRUE(Request().set("Upgrade", "h2c").add("upgrade", "websocket").asked().has_value());
}

TEST(Handshake, WantsConnectionToNameUpgrade_RFC6455_4_2_1) {
  expect_refused(Request().remove("Connection"), Rule::handshake_connection_missing, 400);
  expect_refused(Request().set("Connection", "keep-alive"), Rule::handshake_connection_missing, 400);
  expect_refused(Request().set("Connection", "keep-alive upgrade"), Rule::handshake_connection_missing, 400);
  EXPECT_TRUE(Request().set("Connection", "keep-alive, Upgrade").asked().has_value());
  EXPECT_TRUE(Request().set("Connection", ",upgrade,").asked().has_value());
  EXPECT_TRUE(Request().set("Connection", "close").add("Connection", "UPGRADE").asked().has_value());
}

TEST(Handshake, WantsOneKey_RFC6455_4_2_1) {
  expect_refused(Request().remove("Sec-WebSocket-Key"), Rule::handshake_key_missing, 400);
}

TEST(Handshake, RefusesASecondKey_RFC6455_11_3_1) {
  expect_refused(Request().add("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), Rule::handshake_key_repeated,
                 400);
}

TEST(Handshake, WantsTheKeyToBeSixteenBytes_RFC6455_4_2_1) {
  for (const char* key :
       {"", "AAAA", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "SGVsbG8sIHdvcmxkIQ==",
        "dGhlIHNhbXBsZSBub25jZSE=", "dGhlIHNhbXBsZSBub25jZSEh", "dGhl-HNhbXBsZSBub25jZQ=="}) {
    expect_refused(Request().set("Sec-WebSocket-Key", key), Rule::handshake_key_invalid, 400);
  }
}

TEST(Handshake, WantsAVersion_RFC6455_4_2_1) {
  expect_refused(Request().remove("Sec-WebSocket-Version"), Rule::handshake_version_missing, 400);
}

TEST(Handshake, RefusesASecondVersion_RFC6455_11_3_5) {
  expect_refused(Request().add("Sec-WebSocket-Version", "13"), Rule::handshake_version_repeated, 400);
}

TEST(Handshake, NamesItsVersionToOthers_RFC6455_4_4) {
  for (const char* version : {"", "8", "0", "14", "013", "13, 8", "thirteen"}) {
    expect_refused(Request().set("Sec-WebSocket-Version", version), Rule::handshake_version_unsupported, 426);
  }
  EXPECT_THAT(Request().set("Sec-WebSocket-Version", "8").asked().error().headers,
              ElementsAre(OwnedHeader{"Upgrade", "websocket"}, OwnedHeader{"Sec-WebSocket-Version", "13"}));
}

TEST(Handshake, ChoosesTheServersFirstSubprotocol_RFC6455_4_2_2) {
  const UpgradePolicy policy{.subprotocols = {"v2.json", "v1.json"}};
  const auto chosen = [&](const Request& request) { return request.asked(policy).value().subprotocol; };
  EXPECT_EQ(chosen(Request().add("Sec-WebSocket-Protocol", "v1.json, v2.json")), "v2.json");
  EXPECT_EQ(chosen(Request().add("Sec-WebSocket-Protocol", "x").add("Sec-WebSocket-Protocol", "v1.json")),
            "v1.json");
  EXPECT_EQ(chosen(Request().add("Sec-WebSocket-Protocol", "V1.JSON")), "");
  EXPECT_EQ(chosen(Request()), "");
  EXPECT_THAT(Request().add("Sec-WebSocket-Protocol", "v1.json").asked(policy)->response(),
              HasSubstr("\r\nSec-WebSocket-Protocol: v1.json\r\n"));
}

TEST(Handshake, RefusesMalformedSubprotocols_RFC6455_4_1) {
  for (const char* protocols : {"", ",", "a b", "a,(b)", "a, b, a", "\"a\""}) {
    expect_refused(Request().add("Sec-WebSocket-Protocol", protocols), Rule::handshake_protocol_invalid, 400);
  }
  expect_refused(Request().add("Sec-WebSocket-Protocol", "a").add("Sec-WebSocket-Protocol", "a"),
                 Rule::handshake_protocol_invalid, 400);
  const UpgradePolicy strict{.subprotocols = {"chat"}, .subprotocol_required = true};
  expect_refused(Request(), Rule::handshake_protocol_invalid, 400, strict);
  expect_refused(Request().add("Sec-WebSocket-Protocol", "other"), Rule::handshake_protocol_invalid, 400,
                 strict);
  EXPECT_TRUE(Request().add("Sec-WebSocket-Protocol", "other, chat").asked(strict).has_value());
}

TEST(Handshake, LetsInTheOriginsItAllows_RFC6455_10_2) {
  const UpgradePolicy policy{.origins = {"https://app.example.com"}};
  EXPECT_TRUE(Request().asked(policy).has_value()) << "programs send no Origin";
  EXPECT_TRUE(Request().add("Origin", "https://app.example.com").asked(policy).has_value());
  expect_refused(Request().add("Origin", "https://evil.example"), Rule::handshake_origin_refused, 403,
                 policy);
  expect_refused(Request().add("Origin", "https://app.example.com").add("Origin", "https://app.example.com"),
                 Rule::handshake_origin_refused, 403, policy);
  expect_refused(Request(), Rule::handshake_origin_refused, 403, {.origin_required = true});
  EXPECT_TRUE(Request().add("Origin", "null").asked().has_value()) << "no list: anyone";
}

TEST(Handshake, MatchesOriginPatterns_RFC6455_10_2) {
  struct Case {
    std::string pattern;
    std::string_view origin;
    bool allowed;
  };
  const Case cases[] = {
      {"https://example.com", "https://example.com", true},
      {"https://example.com", "HTTPS://Example.COM", true},
      {"https://example.com", "https://example.com:443", true},
      {"https://example.com", "https://example.com:8443", false},
      {"https://example.com", "http://example.com", false},
      {"https://example.com", "https://www.example.com", false},
      {"http://localhost:3000", "http://localhost:3000", true},
      {"http://localhost:3000", "http://localhost", false},
      {"http://[::1]:3000", "http://[::1]:3000", true},
      {"http://[::1]", "http://[::1]", true},
      {"https://*.example.com", "https://a.example.com", true},
      {"https://*.example.com", "https://a.b.example.com", true},
      {"https://*.example.com", "https://example.com", false},
      {"https://*.example.com", "https://evilexample.com", false},
      {"https://*.example.com", "https://.example.com", false},
      {"https://*.example.com", "https://a.example.com.evil.net", false},
      {"https://*.example.com", "https://evil.net/.example.com", false},
      {"https://*.example.com", "https://a.example.com:8443", false},
      {"https://*.example.com:8443", "https://a.example.com:8443", true},
      {"*", "https://anything.example", true},
      {"*", "null", true},
      {"null", "null", true},
      {"https://example.com", "null", false},
      {"https://example.com", "", false},
  };
  for (const Case& c : cases) {
    EXPECT_TRUE(is_origin_pattern(c.pattern)) << c.pattern;
    EXPECT_EQ(origin_allowed(c.origin, std::span(&c.pattern, 1)), c.allowed)
        << c.pattern << " <- " << c.origin;
  }
  // Values that an Origin header can never equal.
  for (const std::string_view text :
       {"", "example.com", "*.example.com", "https://", "https://example.com/"}) {
    EXPECT_FALSE(is_origin_pattern(text)) << text;
  }
}

TEST(Handshake, AgreesOnCompression_RFC7692_5) {
  const auto answer =
      Request().add("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits").asked();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->deflate, (DeflateParameters{.server_max_window_bits = 12, .client_max_window_bits = 12}));
  EXPECT_THAT(answer->response(), HasSubstr("\r\nSec-WebSocket-Extensions: permessage-deflate; "
                                            "server_max_window_bits=12; client_max_window_bits=12\r\n"));

  const auto plain =
      Request().add("Sec-WebSocket-Extensions", "permessage-deflate").asked({.deflate = {.enabled = false}});
  EXPECT_FALSE(plain.value().deflate.has_value());
  EXPECT_THAT(plain->response(), Not(HasSubstr("Sec-WebSocket-Extensions")));
}

TEST(Handshake, RefusesMalformedExtensions_RFC6455_9_1) {
  expect_refused(Request().add("Sec-WebSocket-Extensions", "permessage-deflate; =1"),
                 Rule::extension_header_malformed, 400);
}

TEST(Handshake, LimitsTheNumberOfExtensions_RFC6455_10_4) {
  Request request;
  for (int count = 0; count < 32; ++count) request.add("Sec-WebSocket-Extensions", "x");
  EXPECT_TRUE(request.asked().has_value());
  expect_refused(request.add("Sec-WebSocket-Extensions", "x"), Rule::handshake_too_large, 431);
}

TEST(Handshake, KeepsItsResponseWholeWhateverTheExtraHeaders) {
  const std::vector<HeaderField> extra{
      {"Set-Cookie", "a=b"},
      {"X-Split", "a\r\nX-Injected: 1"},
      {"X Bad", "1"},
      {"", "1"},
      {"connection", "close"},
      {"Content-Length", "5"},
      {"Transfer-Encoding", "chunked"},
      {"Trailer", "X"},
      {"keep-alive", "timeout=5"},
      {"TE", "trailers"},
      {"Upgrade", "h2c"},
      {"Proxy-Connection", "close"},
  };
  const std::string response = Request().asked()->response(extra);
  EXPECT_EQ(response,
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            "Set-Cookie: a=b\r\n"
            "\r\n");
}

}  // namespace
}  // namespace fanfare::ws
