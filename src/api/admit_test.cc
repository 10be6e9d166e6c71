// Server::admit(): one decision in front of every kind of route. Real sockets, on both loops.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

#include "api/raw_client_for_tests.h"
#include "fanfare/hub.h"
#include "fanfare/server.h"
#include "fanfare/streams.h"

namespace fanfare {
namespace {

using api::RawClient;
using testing::HasSubstr;
using testing::StartsWith;

class AdmitTest : public testing::TestWithParam<LoopKind> {
 protected:
  AdmitTest() {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "page.txt") << "a file";
    server_.admit([this](const Request& request) -> std::optional<Response> {
      ++decisions_;
      if (request.header("X-Throw")) throw std::runtime_error("not for clients");
      if (request.header("X-Key") == "secret") return std::nullopt;
      return Response{.status = 401, .body = "no key for " + std::string(request.path()), .headers = {}};
    });
    server_.http("POST", "/answer", [](const Request& request) -> Response {
      return {.body = "got " + std::string(request.body()), .headers = {}};
    });
    server_.files("/files", {.directory = folder_.string()});
    server_.websocket("/socket",
                      {.message = [](Session& session, const Message& message) { session.send(message); }});
    const Hub hub(server_);
    const Streams streams(server_);
    EXPECT_TRUE(server_.start());
  }
  ~AdmitTest() override { std::filesystem::remove_all(folder_); }

  std::string answer(const std::string& line, const std::string& headers = "", const std::string& body = "") {
    RawClient client(server_.port());
    client.write(line + " HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n" + body);
    return client.read_answer(false);
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() /
      ("fanfare_admit_" + std::to_string(::getpid()) + "_" + std::to_string(static_cast<int>(GetParam())));
  std::atomic<int> decisions_ = 0;
  Server server_{{.port = 0, .threads = 1, .loop = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(Loops, AdmitTest, testing::Values(LoopKind::automatic, LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == LoopKind::epoll ? "epoll" : "automatic";
                         });

constexpr const char* kUpgrade =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

TEST_P(AdmitTest, EveryKindOfRouteIsBehindIt) {
  const std::string key = "X-Key: secret\r\n";
  EXPECT_THAT(answer("POST /answer", "Content-Length: 2\r\n", "hi"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(answer("POST /answer", key + "Content-Length: 2\r\n", "hi"), HasSubstr("got hi"));
  EXPECT_THAT(answer("GET /files/page.txt"), HasSubstr("no key for /files/page.txt"));
  EXPECT_THAT(answer("GET /files/page.txt", key), HasSubstr("a file"));
  EXPECT_THAT(answer("GET /socket", kUpgrade), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(answer("GET /socket", key + kUpgrade), StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(answer("GET /streams", kUpgrade), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(answer("GET /streams", key + kUpgrade), StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(answer("GET /streams/sse?stream=s"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(answer("GET /streams/sse?stream=s", key), StartsWith("HTTP/1.1 404"));
}

TEST_P(AdmitTest, NothingIsDecidedAboutWhatNoRouteTakes) {
  EXPECT_THAT(answer("GET /nothing"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(answer("GET /answer"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(answer("GET /socket"), StartsWith("HTTP/1.1 426"));
  EXPECT_EQ(decisions_, 0);
}

TEST_P(AdmitTest, AnExceptionAdmitsNobody) {
  for (const char* const line : {"POST /answer", "GET /files/page.txt"}) {
    const std::string answered = answer(line, "X-Throw: 1\r\nContent-Length: 0\r\n");
    EXPECT_THAT(answered, StartsWith("HTTP/1.1 500"));
    EXPECT_THAT(answered, testing::Not(HasSubstr("not for clients")));
  }
  EXPECT_THAT(answer("GET /socket", std::string("X-Throw: 1\r\n") + kUpgrade), StartsWith("HTTP/1.1 500"));
}

}  // namespace
}  // namespace fanfare
