// Uploads in pieces, as a program takes them. Real sockets, on both loops.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "fanfare/body.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;
using testing::HasSubstr;

// One upload: what has come, and its answer.
struct Upload : std::enable_shared_from_this<Upload> {
  Upload(Responder to, BodyReader from) : responder(std::move(to)), body(std::move(from)) {}

  void take_all() {
    body.read([self = shared_from_this()](const BodyPiece& piece) {
      self->bytes += piece.bytes.size();
      self->failed = piece.failed;
      if (piece.failed) return;
      if (!piece.last) return self->take_all();
      std::move(self->responder).send({.status = 201, .body = std::to_string(self->bytes)});
    });
  }

  Responder responder;
  BodyReader body;
  std::atomic<std::size_t> bytes = 0;
  std::atomic<bool> failed = false;
};

template <typename Condition>
bool comes(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class UploadTest : public testing::TestWithParam<LoopKind> {
 protected:
  void serve(std::uint64_t bytes_max, bool takes_at_once = true) {
    server_.http("POST", "/upload/{name}",
                 [this, takes_at_once](const Request& request, Responder responder, BodyReader body) {
                   EXPECT_EQ(request.parameter("name"), "a b");
                   EXPECT_EQ(request.body(), "");
                   auto upload = std::make_shared<Upload>(std::move(responder), std::move(body));
                   if (takes_at_once) upload->take_all();
                   const std::scoped_lock lock(mutex_);
                   upload_ = std::move(upload);
                 },
                 {.bytes_max = bytes_max});
    server_.http("POST", "/whole",
                 [](const Request& request) -> Response { return {.body = std::string(request.body())}; });
    ASSERT_TRUE(server_.start());
  }
  std::shared_ptr<Upload> upload() {
    EXPECT_TRUE(comes([this] {
      const std::scoped_lock lock(mutex_);
      return upload_ != nullptr;
    }));
    const std::scoped_lock lock(mutex_);
    return upload_;
  }
  static std::string head(std::size_t length) {
    return "POST /upload/a%20b HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  }

  std::mutex mutex_;
  std::shared_ptr<Upload> upload_;
  Server server_{{.port = 0, .threads = 1, .loop = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(Loops, UploadTest, testing::Values(LoopKind::automatic, LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == LoopKind::epoll ? "epoll" : "automatic";
                         });

constexpr std::size_t kBig = 100'000'000;
constexpr std::size_t kSocketsHold = 16'000'000;  // a TCP connection over loopback, both directions

TEST_P(UploadTest, AHundredMegabytesAreHeldBackWhileTheProgramIsBusy) {
  serve(kBig, false);
  RawClient client(server_.port());
  client.write(head(kBig));
  std::atomic<std::size_t> sent = 0;
  std::thread writer([&] {
    const std::string piece(50'000, 'x');
    while (sent < kBig) {
      client.write(piece);
      if (testing::Test::HasFatalFailure()) return;
      sent += piece.size();
    }
  });
  const auto taken = upload();
  // The writer stands still once the sockets are full, also while the loop serves many requests of another.
  RawClient other(server_.port());
  std::size_t before = 0;
  int stands = 0;
  EXPECT_TRUE(comes([&] {
    other.write("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
    other.read_answer(false);
    const std::size_t now = sent;
    stands = now > 0 && now == before ? stands + 1 : 0;
    before = now;
    return stands == 50 || now >= kSocketsHold;
  }));
  EXPECT_LT(sent, kSocketsHold);
  EXPECT_EQ(taken->bytes, 0U);
  taken->take_all();  // on a thread that is not the loop's
  EXPECT_THAT(client.read_answer(false), HasSubstr("\r\n\r\n100000000"));
  writer.join();
  client.write("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_THAT(client.read_answer(false), HasSubstr("\r\n\r\nok"));
}

TEST_P(UploadTest, TheLimitOfARouteIsItsOwn) {
  serve(10);
  RawClient at(server_.port());
  at.write(head(10) + "0123456789");
  EXPECT_THAT(at.read_answer(false), HasSubstr("201 "));
  at.write(head(11));
  EXPECT_THAT(at.read_answer(false), HasSubstr("413 "));
  RawClient whole(server_.port());
  whole.write("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n01234567890");
  EXPECT_THAT(whole.read_answer(false), HasSubstr("200 "));
}

TEST_P(UploadTest, AClientThatLeavesIsReportedOnce) {
  serve(1000);
  {
    RawClient client(server_.port());
    client.write(head(100) + "part");
    EXPECT_TRUE(comes([this] { return upload()->bytes == 4; }));
  }
  const auto left = upload();
  EXPECT_TRUE(comes([&] { return left->failed.load(); }));
  // A later call is answered the same way.
  left->failed = false;
  left->take_all();
  EXPECT_TRUE(comes([&] { return left->failed.load(); }));
}

TEST_P(UploadTest, AnExceptionAnswers500) {
  server_.http("POST", "/throws", [](const Request&, Responder responder, BodyReader body) {
    const auto held = std::make_shared<Upload>(std::move(responder), std::move(body));
    held->body.read([held](const BodyPiece&) { throw std::runtime_error("broken"); });
  });
  ASSERT_TRUE(server_.start());
  RawClient client(server_.port());
  client.write("POST /throws HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
  EXPECT_THAT(client.read_answer(false), HasSubstr("500 "));
}

TEST_P(UploadTest, AnAnswerMayComeBeforeTheBody) {
  server_.http("POST", "/no", [](const Request&, Responder responder, BodyReader) {
    std::move(responder).send({.status = 401, .body = "no"});
  });
  ASSERT_TRUE(server_.start());
  RawClient client(server_.port());
  client.write("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\nab");
  const std::string answer = client.read_until("EOF");
  EXPECT_THAT(answer, HasSubstr("401 "));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
}

}  // namespace
}  // namespace fanfare
