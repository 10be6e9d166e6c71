#include "ws/handshake_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace fanfare::ws {
namespace {

// Returns "the sample nonce", the key of RFC6455§1.3.
class SampleNonce final : public Random {
 public:
  void fill(MutableBytes bytes) override { std::memcpy(bytes.data(), "the sample nonce", bytes.size()); }
};

ClientHandshake made(const ClientHandshakeOptions& options) {
  SampleNonce random;
  return ClientHandshake::make(options, random).value();
}

const ClientHandshakeOptions kPlain{.host = "server.example.com", .deflate = {.enabled = false}};
const ClientHandshakeOptions kChat{.host = "server.example.com",
                                   .subprotocols = {"chat", "superchat"},
                                   .deflate = {.server_max_window_bits = 15, .client_max_window_bits = 15}};

// The response of RFC6455§1.3, modified by each test.
struct Response {
  int major = 1;
  int minor = 1;
  int status = 101;
  std::vector<HeaderField> headers{{"Upgrade", "websocket"},
                                   {"Connection", "Upgrade"},
                                   {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}};
  Response& set(std::string_view name, std::string_view value) { return remove(name).add(name, value); }
  Response& add(std::string_view name, std::string_view value) {
    headers.push_back({name, value});
    return *this;
  }
  Response& remove(std::string_view name) {
    std::erase_if(headers, [&](const HeaderField& field) { return field.name == name; });
    return *this;
  }
  std::expected<ClientAgreement, Rule> checked(const ClientHandshakeOptions& options = kPlain) const {
    return made(options).check(
        {.version_major = major, .version_minor = minor, .status = status, .headers = headers});
  }
};

void expect_failure(const Response& response, Rule rule, const ClientHandshakeOptions& options = kPlain) {
  const auto agreement = response.checked(options);
  ASSERT_FALSE(agreement.has_value());
  EXPECT_EQ(info(agreement.error()).name, info(rule).name);
}

TEST(ClientHandshake, WritesTheRequest_RFC6455_4_1) {
  EXPECT_EQ(made(kPlain).request(),
            "GET / HTTP/1.1\r\n"
            "Host: server.example.com\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "\r\n");
  EXPECT_EQ(
      made({.host = "localhost:9001",
            .target = "/chat?room=1",
            .subprotocols = {"chat", "superchat"},
            .origin = "http://example.com",
            .headers = {{"Authorization", "Bearer x"}}})
          .request(),
      "GET /chat?room=1 HTTP/1.1\r\n"
      "Host: localhost:9001\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Version: 13\r\n"
      "Origin: http://example.com\r\n"
      "Sec-WebSocket-Protocol: chat, superchat\r\n"
      "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12; client_max_window_bits\r\n"
      "Authorization: Bearer x\r\n"
      "\r\n");
}

TEST(ClientHandshake, DrawsANewKeyEachTime_RFC6455_4_1) {
  SystemRandom random;
  EXPECT_NE(ClientHandshake::make(kPlain, random)->key(), ClientHandshake::make(kPlain, random)->key());
}

TEST(ClientHandshake, RefusesOptionsThatWouldBreakTheRequest) {
  SampleNonce random;
  const auto error = [&](const ClientHandshakeOptions& options) {
    return ClientHandshake::make(options, random).error();
  };
  EXPECT_EQ(error({.host = ""}), OfferError::bad_host);
  EXPECT_EQ(error({.host = "a\r\nX: y"}), OfferError::bad_host);
  EXPECT_EQ(error({.host = "user@host"}), OfferError::bad_host);
  EXPECT_EQ(error({.host = "a", .target = ""}), OfferError::bad_target);
  EXPECT_EQ(error({.host = "a", .target = "chat"}), OfferError::bad_target);
  EXPECT_EQ(error({.host = "a", .target = "/a b"}), OfferError::bad_target);
  EXPECT_EQ(error({.host = "a", .target = "/#a"}), OfferError::bad_target);
  EXPECT_EQ(error({.host = "a", .subprotocols = {"a,b"}}), OfferError::bad_subprotocol);
  EXPECT_EQ(error({.host = "a", .subprotocols = {"a", "a"}}), OfferError::bad_subprotocol);
  EXPECT_EQ(error({.host = "a", .origin = "x\ny"}), OfferError::bad_header);
  EXPECT_EQ(error({.host = "a", .headers = {{"A B", "c"}}}), OfferError::bad_header);
  EXPECT_EQ(error({.host = "a", .headers = {{"A", "b\r\nC: d"}}}), OfferError::bad_header);
  EXPECT_EQ(error({.host = "a", .headers = {{"sec-websocket-key", "x"}}}), OfferError::reserved_header);
  for (int value = 0; value < 5; ++value) EXPECT_FALSE(to_text(static_cast<OfferError>(value)).empty());
}

TEST(ClientHandshake, AcceptsTheResponseOfTheStandard_RFC6455_1_3) {
  const auto agreement = Response().add("Sec-WebSocket-Protocol", "chat").checked(kChat);
  ASSERT_TRUE(agreement.has_value());
  EXPECT_EQ(agreement->subprotocol, "chat");
  EXPECT_FALSE(agreement->deflate.has_value());
  EXPECT_TRUE(Response().checked(kChat).has_value()) << "the server need not choose";
  EXPECT_TRUE(
      Response().set("Upgrade", "WebSocket").set("Connection", "keep-alive, upgrade").checked().has_value());
}

TEST(ClientHandshake, WantsHttp11_RFC6455_4_1) {
  Response response;
  response.minor = 0;
  expect_failure(response, Rule::handshake_response_malformed);
  response.major = 0;
  response.minor = 9;
  expect_failure(response, Rule::handshake_response_malformed);
}

TEST(ClientHandshake, WantsStatus101_RFC6455_4_1) {
  Response response;
  for (const int status : {100, 200, 301, 401, 426, 503}) {
    response.status = status;
    expect_failure(response, Rule::handshake_status_not_101);
  }
}

TEST(ClientHandshake, WantsUpgradeToBeWebsocket_RFC6455_4_1) {
  expect_failure(Response().remove("Upgrade"), Rule::handshake_response_upgrade_invalid);
  expect_failure(Response().set("Upgrade", "h2c"), Rule::handshake_response_upgrade_invalid);
  expect_failure(Response().set("Upgrade", "h2c, websocket"), Rule::handshake_response_upgrade_invalid);
}

TEST(ClientHandshake, WantsConnectionToNameUpgrade_RFC6455_4_1) {
  expect_failure(Response().remove("Connection"), Rule::handshake_response_connection_invalid);
  expect_failure(Response().set("Connection", "close"), Rule::handshake_response_connection_invalid);
}

TEST(ClientHandshake, WantsTheKeyAnswered_RFC6455_4_1) {
  expect_failure(Response().remove("Sec-WebSocket-Accept"), Rule::handshake_accept_missing);
  expect_failure(Response().add("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
                 Rule::handshake_accept_missing);
  expect_failure(Response().set("Sec-WebSocket-Accept", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
                 Rule::handshake_accept_wrong);
  expect_failure(Response().set("Sec-WebSocket-Accept", ""), Rule::handshake_accept_wrong);
}

TEST(ClientHandshake, WantsOneOfItsSubprotocols_RFC6455_4_1) {
  expect_failure(Response().add("Sec-WebSocket-Protocol", "chat"), Rule::handshake_protocol_not_offered);
  for (const char* protocol : {"other", "Chat", "chat, superchat", ""}) {
    expect_failure(Response().add("Sec-WebSocket-Protocol", protocol), Rule::handshake_protocol_not_offered,
                   kChat);
  }
  expect_failure(Response().add("Sec-WebSocket-Protocol", "chat").add("Sec-WebSocket-Protocol", "chat"),
                 Rule::handshake_protocol_not_offered, kChat);
}

TEST(ClientHandshake, ReadsWhatWasAgreedOnCompression_RFC7692_7_1) {
  EXPECT_EQ(Response()
                .add("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover")
                .checked(kChat)
                ->deflate,
            (DeflateParameters{.server_no_context_takeover = true}));
}

TEST(ClientHandshake, RefusesExtensionsItDidNotOffer_RFC6455_9_1) {
  expect_failure(Response().add("Sec-WebSocket-Extensions", "permessage-deflate"),
                 Rule::extension_not_offered);
  expect_failure(Response().add("Sec-WebSocket-Extensions", "x"), Rule::extension_not_offered, kChat);
  expect_failure(Response().add("Sec-WebSocket-Extensions", "permessage-deflate;"),
                 Rule::extension_header_malformed, kChat);
}

std::string deflate_offer_of(std::string_view request) {
  constexpr std::string_view kName = "Sec-WebSocket-Extensions: ";
  const std::size_t begin = request.find(kName) + kName.size();
  return std::string(request.substr(begin, request.find("\r\n", begin) - begin));
}

// Both ends agree: whatever a client offers and a server accepts gives the same result on both sides. The
// exception is the client's own window, which it may keep smaller.
TEST(ClientHandshake, AgreesWithOurServerOverAllOptions_RFC7692_7_1) {
  for (int mask = 0; mask < 16; ++mask) {
    for (const int bits : {9, 12, 15}) {
      const DeflateOptions client{.server_no_context_takeover = (mask & 1) != 0,
                                  .client_no_context_takeover = (mask & 2) != 0,
                                  .server_max_window_bits = bits,
                                  .client_max_window_bits = 24 - bits};
      const DeflateOptions server{.server_no_context_takeover = (mask & 4) != 0,
                                  .client_no_context_takeover = (mask & 8) != 0,
                                  .server_max_window_bits = 10,
                                  .client_max_window_bits = 11};
      const ClientHandshake handshake = made({.host = "a", .deflate = client});
      const std::string offer = deflate_offer_of(handshake.request());
      const std::vector<HeaderField> request{{"Host", "a"},
                                             {"Upgrade", "websocket"},
                                             {"Connection", "Upgrade"},
                                             {"Sec-WebSocket-Key", handshake.key()},
                                             {"Sec-WebSocket-Version", "13"},
                                             {"Sec-WebSocket-Extensions", offer}};
      const auto accepted = accept_upgrade({.headers = request}, {.deflate = server});
      ASSERT_TRUE(accepted.has_value());
      ASSERT_TRUE(accepted->deflate.has_value());
      const std::vector<HeaderField> response{{"Upgrade", "websocket"},
                                              {"Connection", "Upgrade"},
                                              {"Sec-WebSocket-Accept", accepted->accept_key},
                                              {"Sec-WebSocket-Extensions", accepted->extensions}};
      DeflateParameters expected = *accepted->deflate;
      expected.client_max_window_bits =
          std::min(expected.client_max_window_bits, client.client_max_window_bits);
      EXPECT_EQ(handshake.check({.headers = response}).value().deflate, expected) << mask << " " << bits;
    }
  }
}

}  // namespace
}  // namespace fanfare::ws
