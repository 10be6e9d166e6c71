// Streaming answers, files, additional listeners and delayed upgrades, as a program uses them. Real sockets,
// on both loops.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
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
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Passes a value from a handler to the test.
template <typename Value>
class Handed {
 public:
  void give(Value value) {
    const std::scoped_lock lock(mutex_);
    value_ = std::move(value);
    came_.notify_all();
  }
  Value take() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(came_.wait_for(lock, std::chrono::seconds(20), [this] { return value_.has_value(); }));
    Value value = *std::move(value_);
    value_.reset();
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::optional<Value> value_;
};

class HttpBodyTest : public testing::TestWithParam<LoopKind> {
 protected:
  void serve_body(std::optional<std::uint64_t> length = {}, std::string first = "") {
    server_->http("GET", "/", [this, length, first](const Request&, Responder responder) {
      writer_.give(std::move(responder).start({.body = first, .headers = {{"X-A", "b"}}}, length));
    });
    server_->http("GET", "/plain", [](const Request&) -> Response { return {.body = "plain"}; });
  }
  void start() {
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  static void ask(const RawClient& client, std::string_view path = "/") {
    client.write("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  void make(ServerOptions options) {
    options.port = 0;
    options.threads = 1;
    options.loop = GetParam();
    server_ = std::make_unique<Server>(std::move(options));
  }

  std::unique_ptr<Server> server_ =
      std::make_unique<Server>(ServerOptions{.port = 0, .threads = 1, .loop = GetParam()});
  Handed<BodyWriter> writer_;
};

INSTANTIATE_TEST_SUITE_P(Loops, HttpBodyTest, testing::Values(LoopKind::automatic, LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == LoopKind::epoll ? "epoll" : "automatic";
                         });

TEST_P(HttpBodyTest, IsWrittenFromAnotherThread) {
  serve_body({}, "one ");
  start();
  RawClient client(server_->port());
  ask(client);
  BodyWriter body = writer_.take();
  EXPECT_THAT(client.read_answer(true),
              AllOf(HasSubstr("X-A: b\r\n"), HasSubstr("Transfer-Encoding: chunked")));
  EXPECT_TRUE(body.is_open());
  EXPECT_EQ(body.write("two"), SendResult::queued);
  std::move(body).finish();
  EXPECT_FALSE(body.is_open());  // NOLINT(bugprone-use-after-move): tests this state
  EXPECT_EQ(body.write("late"), SendResult::closed);
  ask(client, "/plain");
  EXPECT_THAT(client.read_until("plain"),
              AllOf(HasSubstr("one "), HasSubstr("two"), HasSubstr("\r\n0\r\n\r\nHTTP/1.1 200 OK")));
}

TEST_P(HttpBodyTest, WithALengthItStandsThereAsItIs) {
  serve_body(6);
  start();
  RawClient client(server_->port());
  ask(client);
  BodyWriter body = writer_.take();
  body.write("one");
  body.write("two");
  std::move(body).finish();
  EXPECT_THAT(client.read_answer(false),
              AllOf(HasSubstr("Content-Length: 6\r\n"), EndsWith("\r\n\r\nonetwo")));
}

TEST_P(HttpBodyTest, AWriterThatDiesCutsTheAnswerOff) {
  serve_body();
  start();
  RawClient client(server_->port());
  ask(client);
  {
    const BodyWriter body = writer_.take();
  }
  EXPECT_THAT(client.read_until("EOF"), testing::Not(HasSubstr("0\r\n\r\n")));
}

TEST_P(HttpBodyTest, AClientThatLeavesClosesTheWriter) {
  serve_body();
  start();
  std::optional<BodyWriter> body;
  {
    RawClient client(server_->port());
    ask(client);
    body = writer_.take();
    client.read_answer(true);
  }
  while (body->write("x") != SendResult::closed) std::this_thread::yield();
  EXPECT_FALSE(body->is_open());
}

TEST_P(HttpBodyTest, HeadAndStatusesWithoutABodyCloseIt) {
  server_->http("GET", "/", [this](const Request& request, Responder responder) {
    writer_.give(std::move(responder).start({.status = request.query() == "204" ? 204 : 200}));
  });
  start();
  RawClient client(server_->port());
  EXPECT_THAT(client.request("HEAD", "/"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(writer_.take().write("x"), SendResult::closed);
  EXPECT_THAT(client.request("GET", "/?204"), StartsWith("HTTP/1.1 204 "));
  EXPECT_EQ(writer_.take().write("x"), SendResult::closed);
}

TEST_P(HttpBodyTest, ASlowReaderIsToldToTheWriterAndCutOffAtTheLimit) {
  make({.limits = {.outbox_bytes_high = 100'000, .response_outbox_bytes_max = 400'000}});
  serve_body();
  start();
  RawClient client(server_->port(), 4096);
  ask(client);
  BodyWriter body = writer_.take();
  // The server may tell once more while it ends.
  const auto drained = std::make_shared<std::atomic<int>>(0);
  body.on_drain([drained] { ++*drained; });
  const std::string piece(50'000, 'x');
  SendResult result = SendResult::queued;
  while (result == SendResult::queued) result = body.write(piece);
  ASSERT_EQ(result, SendResult::congested);
  EXPECT_EQ(*drained, 0);
  EXPECT_GE(body.buffered_amount(), 100'000U);
  // The client continues reading: the writer is notified once.
  std::size_t taken = 0;
  while (*drained == 0) taken += client.read_some().size();
  EXPECT_GT(taken, 0U);
  EXPECT_EQ(*drained, 1);
  while (result != SendResult::closed) result = body.write(piece);
  EXPECT_FALSE(body.is_open());
}

TEST_P(HttpBodyTest, EndsInGoodOrderWhenTheServerStops) {
  serve_body();
  start();
  RawClient client(server_->port());
  ask(client);
  BodyWriter body = writer_.take();
  body.write("event");
  std::thread stopper([this] { server_->stop(std::chrono::seconds(20)); });
  EXPECT_THAT(client.read_until("EOF"), EndsWith("5\r\nevent\r\n0\r\n\r\nEOF"));
  stopper.join();
  EXPECT_EQ(body.write("late"), SendResult::closed);
}

TEST_P(HttpBodyTest, AWriterMayOutliveItsServer) {
  serve_body();
  start();
  RawClient client(server_->port());
  ask(client);
  BodyWriter body = writer_.take();
  server_.reset();
  EXPECT_EQ(body.write("x"), SendResult::closed);
  std::move(body).finish();
}

TEST_P(HttpBodyTest, FilesOfADirectory) {
  std::string name = testing::TempDir() + "fanfare-api-files-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  std::ofstream(name + "/index.html") << "<p>hi</p>";
  server_->http("GET", "/api", [](const Request&) -> Response { return {.body = "api"}; });
  server_->files("/", {.directory = name, .headers = {{"X-Frame-Options", "DENY"}}});
  start();
  RawClient client(server_->port());
  const std::string page = client.request("GET", "/");
  EXPECT_THAT(page, AllOf(HasSubstr("text/html"), HasSubstr("X-Frame-Options: DENY"), EndsWith("<p>hi</p>")));
  EXPECT_THAT(client.request("GET", "/api"), EndsWith("api"));  // routes that were added earlier
  EXPECT_THAT(client.request("GET", "/../etc/passwd"), StartsWith("HTTP/1.1 404 "));
  std::filesystem::remove_all(name);

  make({});
  server_->files("/", {.directory = "/no/such"});
  const auto started = server_->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "files: directory \"/no/such\": No such file or directory");
}

TEST_P(HttpBodyTest, MoreListenersServeTheSameRoutes) {
  const std::string path = testing::TempDir() + "fanfare-more-" + std::to_string(::getpid()) + ".sock";
  make({.more_listeners = {{.port = 0}, {.unix_path = path}}});
  serve_body();
  start();
  const std::vector<std::string> addresses = server_->addresses();
  ASSERT_EQ(addresses.size(), 3U);
  EXPECT_EQ(addresses[2], "unix:" + path);
  const auto port = static_cast<std::uint16_t>(std::stoi(addresses[1].substr(addresses[1].rfind(':') + 1)));
  EXPECT_NE(port, server_->port());
  EXPECT_THAT(RawClient(server_->port()).request("GET", "/plain"), EndsWith("plain"));
  EXPECT_THAT(RawClient(port).request("GET", "/plain"), EndsWith("plain"));
  EXPECT_THAT(RawClient(path).request("GET", "/plain"), EndsWith("plain"));

  make({.more_listeners = {{.host = "no.such.host"}}});
  EXPECT_EQ(server_->start().error().kind, Error::Kind::bad_option);
}

struct User {
  std::string name;
};

class DecideTest : public HttpBodyTest {
 protected:
  ~DecideTest() override { server_.reset(); }  // before what its handlers name

  void serve_users() {
    server_->websocket<User>(
        "/ws",
        {.subprotocols = {"v1", "v2"},
         .decide = [this](const Request&, Upgrade<User> upgrade) { decision_.give(std::move(upgrade)); },
         .open = [](SessionWith<User>& session) { session.send(session.data().name); },
         .message = [](SessionWith<User>& session, const Message& message) { session.send(message); },
         .close = [this](SessionWith<User>&, const Close&) { ++closed_; }});
    start();
  }
  static constexpr std::string_view kHandshake =
      "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Protocol: v1, v3\r\n\r\n";

  Handed<Upgrade<User>> decision_;
  std::atomic<int> closed_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Loops, DecideTest, testing::Values(LoopKind::automatic, LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == LoopKind::epoll ? "epoll" : "automatic";
                         });

TEST_P(DecideTest, LaterOnAnotherThread) {
  serve_users();
  RawClient client(server_->port());
  client.write(kHandshake);
  client.send("early");
  Upgrade<User> upgrade = decision_.take();
  EXPECT_EQ(server_->session_count(), 0U);
  std::move(upgrade).accept({.name = "ann"}, {.headers = {{"Set-Cookie", "a=1"}}, .subprotocol = "v3"});
  EXPECT_THAT(client.read_answer(true), AllOf(StartsWith("HTTP/1.1 101 "), HasSubstr("Set-Cookie: a=1\r\n"),
                                              HasSubstr("Sec-WebSocket-Protocol: v3\r\n")));
  EXPECT_EQ(client.receive(), "ann");
  EXPECT_EQ(client.receive(), "early");
}

TEST_P(DecideTest, WithARefusal) {
  serve_users();
  RawClient client(server_->port());
  client.write(kHandshake);
  decision_.take().refuse({.status = 403, .body = "not you"});
  EXPECT_THAT(client.read_answer(false), AllOf(StartsWith("HTTP/1.1 403 "), EndsWith("not you")));
  client.write(kHandshake);  // the connection continues
  {
    const Upgrade<User> dropped = decision_.take();
  }
  EXPECT_THAT(client.read_answer(false), StartsWith("HTTP/1.1 500 "));
  client.write(kHandshake);
  decision_.take().accept({.name = "ann"}, {.subprotocol = "v9"});
  EXPECT_THAT(client.read_answer(false), StartsWith("HTTP/1.1 500 "));
  EXPECT_EQ(server_->session_count(), 0U);
}

TEST_P(DecideTest, AtOnceInTheHandler) {
  server_->websocket("/ws",
                     {.decide = [](const Request&, Upgrade<void> upgrade) { std::move(upgrade).accept(); },
                      .message = [](Session& session, const Message& message) { session.send(message); }});
  start();
  RawClient client(server_->port());
  EXPECT_THAT(client.upgrade("/ws"), StartsWith("HTTP/1.1 101 "));
  client.send("hello");
  EXPECT_EQ(client.receive(), "hello");
}

TEST_P(DecideTest, AfterTheClientHasLeftOrTheServerHasStopped) {
  serve_users();
  {
    RawClient(server_->port()).write(kHandshake);
  }
  Upgrade<User> left = decision_.take();
  std::move(left).accept({.name = "gone"});
  {
    RawClient client(server_->port());
    client.write(kHandshake);
    Upgrade<User> stopped = decision_.take();
    server_->stop(std::chrono::milliseconds::zero());
    std::move(stopped).accept({.name = "late"});
  }
  server_.reset();
  EXPECT_LE(closed_, 1);  // the first may have been opened before its end was seen
}

TEST_P(DecideTest, AHandshakeThatDoesNotHoldIsNotAsked) {
  serve_users();
  RawClient client(server_->port());
  EXPECT_THAT(client.request("GET", "/ws", "Upgrade: websocket\r\nConnection: Upgrade\r\n"),
              StartsWith("HTTP/1.1 4"));
}

}  // namespace
}  // namespace fanfare
