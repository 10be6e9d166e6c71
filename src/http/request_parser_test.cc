#include "http/request_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "http/request_parser_for_tests.h"

namespace fanfare::http {
namespace {

using namespace request_tests;

TEST(RequestParser, ReadsARequest) {
  const Outcome outcome = parsed(
      "GET /main/evm/1?key=a%20b&x HTTP/1.1\r\nHost: example.com:80\r\nX-Empty:\r\nAccept: \t */* "
      "\t\r\n\r\n");
  ASSERT_EQ(outcome.requests.size(), 1U);
  EXPECT_EQ(outcome.requests[0], (Copy{.method = "GET",
                                       .target = "/main/evm/1?key=a%20b&x",
                                       .path = "/main/evm/1",
                                       .query = "key=a%20b&x",
                                       .headers = "Host=example.com:80;X-Empty=;Accept=*/*;"}));
}

TEST(RequestParser, ReadsBodiesAndPipelinedRequests) {
  const Outcome outcome = parsed(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
      "POST /two HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
      "\r\n"
      "POST /three HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n00A ; name=\"v\"\r\n0123456789\r\n0\r\nTrailer: x\r\nAnother: y\r\n\r\n"
      "GET /four HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(outcome.status, 0);
  ASSERT_EQ(outcome.requests.size(), 4U);
  EXPECT_EQ(outcome.requests[0].body, "hello");
  EXPECT_EQ(outcome.requests[1].path, "/two");
  EXPECT_EQ(outcome.requests[1].body, "");
  EXPECT_EQ(outcome.requests[2].body, "abc0123456789");
  EXPECT_EQ(outcome.requests[3].path, "/four");
}

TEST(RequestParser, ABodyThatIsAllThereIsNotCopied) {
  const std::string text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
  RequestParser parser;
  Bytes input = as_bytes(text);
  const auto next = parser.next(input);
  ASSERT_TRUE(next && *next);
  EXPECT_EQ((*next)->body.data(), as_bytes(text).data() + text.size() - 5);
}

TEST(RequestParser, ABodyThatCameInPartsCanBeTakenOver) {
  RequestParser parser;
  const std::string text =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloPOST / HTTP/1.1\r\nHost: a\r\n";
  Bytes first = as_bytes(text).first(text.find("llo"));
  EXPECT_FALSE(parser.next(first).value());
  Bytes rest = as_bytes(text).subspan(text.find("llo"));
  const auto next = parser.next(rest);
  ASSERT_TRUE(next && *next);
  const Bytes body = (*next)->body;
  EXPECT_TRUE(parser.take_body(body.subspan(1)).empty());
  const GrowingBytes taken = parser.take_body(body);
  EXPECT_EQ(taken.bytes().data(), body.data());
  EXPECT_TRUE(parser.take_body(body).empty());
  EXPECT_FALSE(parser.next(rest).value());
  const std::string end = "Content-Length: 3\r\n\r\nbye";
  Bytes more = as_bytes(end);
  const auto last = parser.next(more);
  ASSERT_TRUE(last && *last);
  EXPECT_EQ(as_text((*last)->body), "bye");
  EXPECT_EQ(as_text(taken.bytes()), "hello");
}

TEST(RequestParser, StopsRightAfterARequestForAnUpgrade_RFC9110_7_8) {
  const std::string head =
      "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, UPGRADE\r\nUpgrade: websocket\r\n\r\n";
  const std::string text = head + "\x81\x85rest of another protocol";
  RequestParser parser;
  Bytes input = as_bytes(text);
  const auto next = parser.next(input);
  ASSERT_TRUE(next && *next);
  EXPECT_TRUE((*next)->upgrade);
  EXPECT_EQ(as_text(input), text.substr(head.size()));
}

TEST(RequestParser, ARefusedUpgradeGoesOnAsHttp) {
  const Outcome outcome = parsed(
      "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
      "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(outcome.requests.size(), 2U);
  EXPECT_TRUE(outcome.requests[0].upgrade);
  EXPECT_FALSE(outcome.requests[1].upgrade);
}

TEST(RequestParser, AnUpgradeNeedsBothHeadersAndHttp11_RFC9110_7_8) {
  for (const std::string_view text :
       {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgraded\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"}) {
    const Outcome outcome = parsed(text);
    ASSERT_EQ(outcome.requests.size(), 1U) << text;
    EXPECT_FALSE(outcome.requests[0].upgrade) << text;
  }
}

TEST(RequestParser, KeepAlive_RFC9112_9_3) {
  const auto keeps = [](std::string_view version, std::string_view connection) {
    const Outcome outcome =
        parsed("GET / " + std::string(version) + "\r\nHost: a\r\n" + std::string(connection) + "\r\n");
    return !outcome.requests.empty() && outcome.requests.front().keep_alive;
  };
  EXPECT_TRUE(keeps("HTTP/1.1", ""));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: x, Close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", ""));
  EXPECT_TRUE(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
}

TEST(RequestParser, AfterConnectionCloseItStillParses) {
  EXPECT_EQ(parsed("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                   "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
                .requests.size(),
            2U);
}

TEST(RequestParser, Targets_RFC9112_3_2) {
  const auto target = [](std::string_view text) {
    const Outcome outcome = parsed("OPTIONS " + std::string(text) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    return outcome.requests.empty() ? std::to_string(outcome.status)
                                    : outcome.requests[0].path + " " + outcome.requests[0].query;
  };
  EXPECT_EQ(target("/"), "/ ");
  EXPECT_EQ(target("/?"), "/ ");
  EXPECT_EQ(target("/a?b?c"), "/a b?c");
  EXPECT_EQ(target("*"), "* ");
  EXPECT_EQ(target("http://example.com/a?b"), "/a b");
  EXPECT_EQ(target("http://example.com"), "/ ");
  EXPECT_EQ(target("http://example.com?b"), "/ b");
  EXPECT_EQ(target("/a?u=http://x/y"), "/a u=http://x/y");
  EXPECT_EQ(target("/a#b"), "400");
  EXPECT_EQ(target("a"), "400");
}

TEST(RequestParser, WhatCannotBeHttpIsRefusedAtItsFirstByte_RFC9112_3) {
  for (const std::string_view start : {"\x16", " ", "\x80", "{", "\r\n\x16"}) {
    EXPECT_EQ(refused(start), 400);
  }
  EXPECT_TRUE(parsed("\r").requests.empty());
  EXPECT_TRUE(parsed("G").requests.empty());
}

TEST(RequestParser, Expect_RFC9110_10_1_1) {
  RequestParser parser;
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
  Bytes input = as_bytes(head);
  const auto waiting = parser.next(input);
  ASSERT_TRUE(waiting && !*waiting);
  EXPECT_TRUE(parser.take_continue());
  EXPECT_FALSE(parser.take_continue());
  EXPECT_TRUE(parser.in_request());
  Bytes body = as_bytes("{}");
  const auto next = parser.next(body);
  ASSERT_TRUE(next && *next);
  EXPECT_FALSE(parser.in_request());

  EXPECT_EQ(with_header("Expect: something"), 417);
}

TEST(RequestParser, WhoSendsTheBodyAtOnceIsNotToldToContinue) {
  RequestParser parser;
  const std::string text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{";
  Bytes input = as_bytes(text);
  const auto waiting = parser.next(input);
  ASSERT_TRUE(waiting && !*waiting);
  EXPECT_FALSE(parser.take_continue());
}

TEST(RequestParserLimits, HeadBytes) {
  const auto request = [](std::size_t size) {
    const std::string before = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    return before + std::string(size - before.size() - 4, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(parsed(request(500), {.head_bytes_max = 500}).requests.size(), 1U);
  EXPECT_EQ(refused(request(501), {.head_bytes_max = 500}), 431);
  EXPECT_EQ(refused(request(100'000), {.head_bytes_max = 500}), 431);
  EXPECT_EQ(fed(request(16 * 1024), {}, [] { return 1000U; }).requests.size(), 1U);
  EXPECT_EQ(fed(request(16 * 1024 + 1), {}, [] { return 1000U; }).status, 431);
}

TEST(RequestParserLimits, HeadersWithoutAnEndAreRefusedEarly) {
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 200; ++i) text += "X: y\r\n";
  EXPECT_EQ(refused(text, {.head_bytes_max = 500}), 431);
}

TEST(RequestParserLimits, HeaderCount) {
  const auto request = [](int count) {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 1; i < count; ++i) text += "X: y\r\n";
    return text + "\r\n";
  };
  EXPECT_EQ(parsed(request(100)).requests.size(), 1U);
  EXPECT_EQ(refused(request(101)), 431);
  EXPECT_EQ(refused(request(3), {.header_count_max = 2}), 431);
}

TEST(RequestParserLimits, TargetBytes) {
  const auto request = [](std::size_t size) {
    return "GET /" + std::string(size - 1, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  };
  EXPECT_EQ(parsed(request(50), {.target_bytes_max = 50}).requests.size(), 1U);
  EXPECT_EQ(refused(request(51), {.target_bytes_max = 50}), 414);
  EXPECT_EQ(refused(request(5000), {.target_bytes_max = 50}), 414);
  EXPECT_EQ(refused("GET /" + std::string(5000, 'x'), {.target_bytes_max = 50}), 414);
  EXPECT_EQ(fed(request(8192), {}, [] { return 1000U; }).requests.size(), 1U);
  EXPECT_EQ(fed(request(8193), {}, [] { return 1000U; }).status, 414);
}

TEST(RequestParserLimits, BodyBytesAreDecidedFromTheLength) {
  const auto head = [](std::string_view length) {
    return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::string(length) + "\r\n\r\n";
  };
  EXPECT_EQ(parsed(head("10") + "0123456789", {.body_bytes_max = 10}).requests.size(), 1U);
  EXPECT_EQ(refused(head("11"), {.body_bytes_max = 10}), 413);
  EXPECT_EQ(refused(head("18446744073709551615")), 413);
  EXPECT_EQ(refused(head("18446744073709551616")), 400);
  EXPECT_EQ(refused(head("8388609")), 413);
}

TEST(RequestParserLimits, ChunkedBodyBytesAreDecidedFromTheChunksSize) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(parsed(head + "6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n", {.body_bytes_max = 10}).requests.size(),
            1U);
  EXPECT_EQ(refused(head + "6\r\n012345\r\n5\r\n", {.body_bytes_max = 10}), 413);
  EXPECT_EQ(refused(head + "fffffffffffffff\r\n"), 413);
  EXPECT_EQ(refused(head + "1000000000000000"), 413);
  EXPECT_EQ(parsed(head + "0000000000000000\r\n\r\n").requests.size(), 1U);
}

TEST(RequestParserLimits, ExtensionsAndTrailers) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string name(1023, 'x');
  EXPECT_EQ(parsed(head + "1;" + name + "\r\na\r\n0;" + name + "\r\n\r\n").requests.size(), 1U);
  EXPECT_EQ(refused(head + "1;" + name + "x\r\na\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(refused(head + "1 " + std::string(1024, ' ')), 400);
  EXPECT_EQ(parsed(head + "0\r\na:b\r\n" + name.substr(3) + ":\r\n\r\n").requests.size(), 1U);
  EXPECT_EQ(refused(head + "0\r\na:b\r\n" + name.substr(3) + ":x\r\n\r\n"), 400);
}

TEST(RequestParser, StartLines_RFC9112_3) {
  EXPECT_EQ(refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(refused("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
  EXPECT_EQ(refused("GET /\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused("BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), 501);
  EXPECT_EQ(refused("get / HTTP/1.1\r\nHost: a\r\n\r\n"), 501);
  EXPECT_EQ(refused("\x16\x03\x01\x02\r\n\r\n"), 400);
  EXPECT_EQ(refused("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused("GET / http/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(refused("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(parsed("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").requests.size(), 1U);
}

TEST(RequestParser, AnErrorIsFinal) {
  RequestParser parser;
  Bytes bad = as_bytes("x\n");
  EXPECT_EQ(parser.next(bad).error().status, 400);
  Bytes good = as_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(parser.next(good).error().status, 400);
}

}  // namespace
}  // namespace fanfare::http
