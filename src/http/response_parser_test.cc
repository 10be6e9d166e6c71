#include "http/response_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace fanfare::http {
namespace {

struct Outcome {
  int status = 0;  // 0: not yet complete; -1: rejected
  std::string phrase, headers, body, left;
  bool keep_alive = false;
  bool operator==(const Outcome&) const = default;
};

Outcome fed(std::string_view text, std::size_t piece, ResponseLimits limits, bool connect) {
  ResponseParser parser(limits, connect);
  Outcome outcome;
  while (!text.empty()) {
    const std::string part(text.substr(0, piece));
    text.remove_prefix(part.size());
    Bytes input = as_bytes(part);
    const auto next = parser.next(input);
    if (!next) {
      EXPECT_EQ(next.error().status, 502);
      return {.status = -1};
    }
    if (!*next) continue;
    outcome = {.status = (*next)->status,
               .phrase = std::string((*next)->phrase),
               .body = std::string(as_text((*next)->body)),
               .left = std::string(as_text(input)) + std::string(text),
               .keep_alive = (*next)->keep_alive};
    for (const HeaderField& field : (*next)->headers) {
      outcome.headers.append(field.name).append("=").append(field.value).append(";");
    }
    return outcome;
  }
  return outcome;
}

Outcome parsed(std::string_view text, ResponseLimits limits = {}, bool connect = false) {
  const Outcome whole = fed(text, text.size(), limits, connect);
  for (const std::size_t piece : {1U, 2U, 7U}) EXPECT_EQ(whole, fed(text, piece, limits, connect)) << text;
  return whole;
}

TEST(ResponseParser, LeavesWhatFollowsTheUpgrade_RFC6455_4_1) {
  EXPECT_EQ(
      parsed(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi"),
      (Outcome{.status = 101,
               .phrase = "Switching Protocols",
               .headers = "Upgrade=websocket;Connection=Upgrade;",
               .left = "\x81\x02hi",
               .keep_alive = true}));
}

TEST(ResponseParser, ARefusalHasABody) {
  const Outcome counted =
      parsed("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno!");
  EXPECT_EQ(counted.status, 403);
  EXPECT_EQ(counted.body, "no");
  EXPECT_EQ(counted.left, "!");
  EXPECT_FALSE(counted.keep_alive);
  EXPECT_EQ(parsed("HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n").body,
            "no");
  EXPECT_EQ(parsed("HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\nuntil the end").body, "");
}

TEST(ResponseParser, NoPhraseIsNoError_RFC9112_4) {
  EXPECT_EQ(parsed("HTTP/1.1 101 \r\n\r\n").status, 101);
  EXPECT_EQ(parsed("HTTP/1.0 200 OK\r\n\r\n").status, 200);
}

TEST(ResponseParser, InterimResponsesAreSkipped_RFC9110_15_2) {
  const Outcome outcome = parsed(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 101 S\r\nA: "
      "b\r\n\r\nz");
  EXPECT_EQ(outcome.status, 101);
  EXPECT_EQ(outcome.headers, "A=b;");
  EXPECT_EQ(outcome.left, "z");
}

TEST(ResponseParser, ATunnelHasNoBody_RFC9112_6_3) {
  const std::string_view text = "HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\n\x16\x03";
  EXPECT_EQ(parsed(text, {}, true).left, "\x16\x03");
  EXPECT_EQ(parsed(text, {}, false).status, 0);
  EXPECT_EQ(parsed("HTTP/1.1 407 Proxy\r\nContent-Length: 2\r\n\r\nno", {}, true).body, "no");
}

TEST(ResponseParser, WhatIsNoResponseIsRefused) {
  for (const std::string_view bad :
       {"SSH-2.0-OpenSSH_9\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 99 x\r\n\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.1 101 S\r\n X: y\r\n\r\n",
        "HTTP/1.1 101 S\r\nX y\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "HTTP/1.1 403 F\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 403 F\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx"}) {
    EXPECT_EQ(parsed(bad).status, -1) << bad;
  }
}

TEST(ResponseParserLimits, AtAndPastTheEdge) {
  const std::string start = "HTTP/1.1 101 S\r\nX: ";
  const auto sized = [&](std::size_t size) {
    return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(parsed(sized(200), {.head_bytes_max = 200}).status, 101);
  EXPECT_EQ(parsed(sized(201), {.head_bytes_max = 200}).status, -1);
  EXPECT_EQ(parsed("HTTP/1.1 101 S\r\nA: b\r\nA: b\r\n\r\n", {.header_count_max = 2}).status, 101);
  EXPECT_EQ(parsed("HTTP/1.1 101 S\r\nA: b\r\nA: b\r\n\r\n", {.header_count_max = 1}).status, -1);
  EXPECT_EQ(parsed("HTTP/1.1 403 F\r\nContent-Length: 3\r\n\r\nabc", {.body_bytes_max = 3}).status, 403);
  EXPECT_EQ(parsed("HTTP/1.1 403 F\r\nContent-Length: 4\r\n\r\nabcd", {.body_bytes_max = 3}).status, -1);
}

TEST(ResponseParser, TellsTheStatusBeforeTheBodyAndWithoutIt) {
  ResponseParser parser({.body_bytes_max = 3});
  Bytes head = as_bytes("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n");
  ASSERT_TRUE(parser.next(head).has_value());
  EXPECT_EQ(parser.status(), 0);
  Bytes end = as_bytes("\r\n");
  EXPECT_FALSE(parser.next(end).has_value());
  EXPECT_EQ(parser.status(), 403);
}

}  // namespace
}  // namespace fanfare::http
