// HTTP on the WebSocket port, as clients see it: which requests reach a handler, and which answers it may
// give. Real sockets, on both loops.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "api/raw_client_for_tests.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class SiteTest : public testing::TestWithParam<LoopKind> {
 protected:
  void get(std::string_view path, const Response& response) {
    server_.http("GET", path, [response](const Request&) -> Response { return response; });
  }
  void start() {
    const auto started = server_.start();
    ASSERT_TRUE(started) << started.error().message;
  }
  std::string answer(std::string_view target) { return RawClient(server_.port()).request("GET", target); }
  // The status for a request with this line and a Host.
  std::string status(const std::string& line, const std::string& host = "Host: a\r\n") {
    RawClient client(server_.port());
    client.write(line + " HTTP/1.1\r\n" + host + "\r\n");
    return client.read_answer(false).substr(9, 3);
  }

  Server server_{{.port = 0, .threads = 1, .loop = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(Loops, SiteTest, testing::Values(LoopKind::automatic, LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == LoopKind::epoll ? "epoll" : "automatic";
                         });

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// A handler that forwards another server's answer must not desynchronise the connection.
TEST_P(SiteTest, TheEngineFramesTheMessage_RFC9112_6) {
  get("/proxied", {.body = "b",
                   .headers = {{"Content-Length", "999"},
                               {"Transfer-Encoding", "chunked"},
                               {"Connection", "close"},
                               {"Keep-Alive", "timeout=1"},
                               {"Upgrade", "h2c"},
                               {"Trailer", "X"},
                               {"TE", "trailers"},
                               {"Date", "never"},
                               {"Content-Type", "text/html"},
                               {"Content-Type", "text/css"},
                               {"Set-Cookie", "a=1"},
                               {"Set-Cookie", "b=2"},
                               {"X-A", "1\r\nX-B: 2"},
                               {"X C", "y"}}});
  start();
  RawClient client(server_.port());
  for (int turn = 0; turn < 2; ++turn) {  // on the same connection: both sides agree where the message ended
    const std::string said = client.request("GET", "/proxied");
    EXPECT_THAT(said, EndsWith("\r\n\r\nb"));
    EXPECT_EQ(count(said, "Content-Length: 1\r\n"), 1U) << said;
    EXPECT_EQ(count(said, "Content-Length"), 1U);
    EXPECT_EQ(count(said, "Date: "), 1U);
    EXPECT_EQ(count(said, "Content-Type: text/html\r\n"), 1U);
    EXPECT_EQ(count(said, "Content-Type"), 1U);
    EXPECT_EQ(count(said, "Set-Cookie"), 2U);
    for (const char* name : {"Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer",
                             "TE:", "never", "X-A", "X-B", "X C"}) {
      EXPECT_THAT(said, Not(HasSubstr(name)));
    }
  }
}

TEST_P(SiteTest, StatusesThatNoAnswerHas_RFC9110_15) {
  for (const int status : {0, -1, 99, 100, 101, 103, 600, 1000}) {
    get("/" + std::to_string(status), {.status = status, .body = "b"});
  }
  get("/204", {.status = 204, .body = "b"});
  get("/304", {.status = 304, .body = "b"});
  get("/bare", {.status = 204});
  start();
  RawClient client(server_.port());
  for (const char* path : {"/0", "/-1", "/99", "/100", "/101", "/103", "/600", "/1000", "/204", "/304"}) {
    const std::string said = client.request("GET", path);
    EXPECT_THAT(said, StartsWith("HTTP/1.1 500 Internal Server Error\r\n")) << path;
    EXPECT_THAT(said, HasSubstr("the status " + std::string(path + 1) + " ")) << path;
  }
  EXPECT_THAT(client.request("GET", "/bare"), StartsWith("HTTP/1.1 204 No Content\r\n"));
}

TEST_P(SiteTest, ARefusedUpgradeIsAnAnswerLikeOthers_RFC9110_15) {
  server_.websocket(
      "/{status}", {.upgrade = [](const Request& request) -> Expected<void, Response> {
        return Unexpected(Response{.status = std::stoi(std::string(request.parameter("status"))),
                                   .headers = {{"Content-Length", "999"}, {"X-A", "1\n2"}}});
      }});
  start();
  for (const char* path : {"/101", "/0", "/1000"}) {
    EXPECT_THAT(RawClient(server_.port()).upgrade(path), StartsWith("HTTP/1.1 500 ")) << path;
  }
  const std::string said = RawClient(server_.port()).upgrade("/403");
  EXPECT_THAT(said, StartsWith("HTTP/1.1 403 "));
  EXPECT_EQ(count(said, "Content-Length"), 1U) << said;
  EXPECT_THAT(said, Not(HasSubstr("X-A")));
}

TEST_P(SiteTest, A426SaysWhatToUpgradeTo_RFC9110_15_5_22) {
  server_.websocket("/ws", {});
  get("/own", {.status = 426, .headers = {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}}});
  start();
  for (const char* path : {"/ws", "/own"}) {
    const std::string said = answer(path);
    EXPECT_THAT(said, StartsWith("HTTP/1.1 426 "));
    EXPECT_EQ(count(said, "Upgrade: websocket\r\n"), 1U) << said;
    EXPECT_EQ(count(said, "Connection: Upgrade\r\n"), 1U) << said;
    EXPECT_EQ(count(said, "Connection: "), 1U) << said;
  }
}

TEST_P(SiteTest, AQueryIsDecodedForThoseWhoReadIt) {
  server_.websocket("/ws", {});
  server_.http("GET", "/search", [](const Request& request) -> Response {
    return {.body = std::string(request.query_parameter("q").value_or("none")) + " of " +
                    std::string(request.query())};
  });
  start();
  EXPECT_THAT(answer("/search?q=100%"), EndsWith("\r\n\r\n100% of q=100%"));
  EXPECT_THAT(answer("/search?p=%zz&q=a%20b+c%2B"), EndsWith("\r\n\r\na b c+ of p=%zz&q=a%20b+c%2B"));
  EXPECT_THAT(answer("/search?q=%00"), EndsWith("\r\n\r\n%00 of q=%00"));
  EXPECT_THAT(answer("/search"), EndsWith("\r\n\r\nnone of "));
  EXPECT_THAT(RawClient(server_.port()).upgrade("/ws?q=100%"), StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(answer("/search%"), StartsWith("HTTP/1.1 400 "));
}

TEST_P(SiteTest, TheHostOfTheTargetCounts_RFC9112_3_2_2) {
  server_.http("GET", "/", [](const Request& request) -> Response {
    return {.body = std::string(request.header("host").value_or("none"))};
  });
  start();
  EXPECT_THAT(answer("http://right:81/"), EndsWith("\r\n\r\nright:81"));
  EXPECT_THAT(answer("/"), EndsWith("\r\n\r\ntest"));
  for (const std::string host : {"user@a", "a/path", "a, b", "a b", "[::1", "a:b", "a:80:80"}) {
    EXPECT_EQ(status("GET /", "Host: " + host + "\r\n"), "400") << host;
    EXPECT_EQ(status("GET /", "Host: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"), "400")
        << host;
  }
  EXPECT_EQ(status("GET /", "Host:\r\n"), "200");
  EXPECT_EQ(status("GET /", ""), "400");
  EXPECT_EQ(status("GET /", "Host: a\r\nHost: a\r\n"), "400");
}

TEST_P(SiteTest, TheServerAsAWholeIsNoRoute_RFC9112_3_2_4) {
  server_.websocket("/{any}", {});
  get("/{any}", {.body = "a route"});
  server_.http("POST", "/form", [](const Request&) -> Response { return {}; });
  server_.http("OPTIONS", "/{any}", [](const Request&) -> Response { return {.body = "a route"}; });
  server_.http("CONNECT", "/{any}", [](const Request&) -> Response { return {.body = "a route"}; });
  start();
  EXPECT_EQ(status("GET *"), "400");
  EXPECT_EQ(status("POST *"), "400");
  EXPECT_EQ(status("CONNECT a:80"), "501");
  EXPECT_EQ(status("OPTIONS /a"), "200");
  const std::string said = RawClient(server_.port()).request("OPTIONS", "*");
  EXPECT_THAT(said, StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(said, HasSubstr("Allow: GET, HEAD, POST, OPTIONS, CONNECT\r\n"));
}

TEST_P(SiteTest, TheNumberOfHeaderLinesIsLimited_RFC6585_5) {
  const auto lines = [](int count_of_them) {
    std::string text;
    for (int i = 1; i < count_of_them; ++i) text += "X-" + std::to_string(i) + ": y\r\n";  // Host counts, too
    return text;
  };
  get("/", {});
  start();
  EXPECT_THAT(RawClient(server_.port()).request("GET", "/", lines(100)), StartsWith("HTTP/1.1 200 "));
  const std::string refused = RawClient(server_.port()).request("GET", "/", lines(101));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(refused, HasSubstr("too many header lines"));

  Server generous({.port = 0, .threads = 1, .loop = GetParam(), .limits = {.request_header_count_max = 300}});
  generous.http("GET", "/", [](const Request&) -> Response { return {}; });
  ASSERT_TRUE(generous.start());
  EXPECT_THAT(RawClient(generous.port()).request("GET", "/", lines(300)), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(RawClient(generous.port()).request("GET", "/", lines(301)), StartsWith("HTTP/1.1 431 "));
}

}  // namespace
}  // namespace fanfare
