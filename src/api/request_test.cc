// The request as a handler sees it: all of its headers, and its cookies.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "api/raw_client_for_tests.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;
using testing::HasSubstr;

class RequestTest : public testing::TestWithParam<LoopKind> {};

INSTANTIATE_TEST_SUITE_P(BothLoops, RequestTest, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& tested) {
                           return tested.param == LoopKind::uring ? "uring" : "epoll";
                         });

std::string headers_of(const Request& request) {
  std::string text;
  for (const HeaderView& header : request.headers()) {
    text.append(header.name).append("=").append(header.value).append("|");
  }
  return text;
}

std::string cookies_of(const Request& request) {
  std::string text;
  for (const Cookie& cookie : request.cookies()) {
    text.append(cookie.name).append("=").append(cookie.value).append("|");
  }
  return text + std::string(request.cookie("id").value_or("(none)"));
}

TEST_P(RequestTest, HasAllHeadersInTheOrderSent) {
  Server server({.port = 0, .threads = 1, .loop = GetParam()});
  server.http("GET", "/", [](const Request& request) -> Response {
    EXPECT_EQ(request.headers().data(), request.headers().data());  // collected only once
    return {.body = headers_of(request)};
  });
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  EXPECT_THAT(client.request("GET", "/", "X-One: 1\r\nAccept:  a \r\nx-one: 2\r\n"),
              HasSubstr("Host=test|X-One=1|Accept=a|x-one=2|"));
}

TEST_P(RequestTest, HasItsCookiesAndAnUpgradesToo_RFC6265_5_4) {
  Server server({.port = 0, .threads = 1, .loop = GetParam()});
  server.http("GET", "/", [](const Request& request) -> Response { return {.body = cookies_of(request)}; });
  server.websocket<std::string>(
      "/ws", {.upgrade = [](const Request& request) -> Expected<std::string, Response> {
                return cookies_of(request);
              },
              .open = [](SessionWith<std::string>& session) { session.send(session.data()); }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  EXPECT_THAT(client.request("GET", "/"), HasSubstr("\r\n\r\n(none)"));
  EXPECT_THAT(client.request("GET", "/", "Cookie: theme=\"dark\"; id=7; id=8; flag\r\n"),
              HasSubstr("theme=\"dark\"|id=7|id=8|7"));
  EXPECT_THAT(client.request("GET", "/", "Cookie: ID=7\r\n"), HasSubstr("ID=7|(none)"));
  client.upgrade("/ws", "Cookie: id=abc=\r\n");
  EXPECT_EQ(client.receive(), "id=abc=|abc=");
}

}  // namespace
}  // namespace fanfare
