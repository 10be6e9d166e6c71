#include "bench_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "session/server.h"
#include "session/server_session.h"

namespace fanfare::app {
namespace {

using std::chrono::milliseconds;

// Echoes; but a message that begins with "subscribe" is answered, and followed by three notifications.
class Peer final : public session::Endpoint {
 public:
  using Endpoint::Endpoint;
  void on_message(session::Session& peer, const session::Message& message) override {
    if (!as_text(message.payload).starts_with("subscribe")) {
      peer.send(message.opcode, message.payload);
      return;
    }
    peer.send_text(as_text(message.payload) == "subscribe" ? R"({"result":"0x1"})" : R"({"error":{}})");
    for (const char* text : {"1", "2", "3"}) {
      peer.send_text(std::string(R"({"method":"s","params":{"result":)") + text + "}}");
    }
  }
};

class PeerSite final : public session::Site {
 public:
  PeerSite() { policy_.deflate.enabled = false; }
  void on_request(session::ServerSession& peer, const http::Request& /*request*/) override {
    peer.respond({.status = 404});
  }
  session::UpgradeDecision on_upgrade(session::ServerSession& /*peer*/,
                                      const http::Request& request) override {
    if (request.target == "/refused") return session::HttpResponse{.status = 403};
    return session::Acceptance{.endpoint = &peer_, .policy = &policy_, .data = nullptr};
  }

 private:
  session::SessionSettings settings_;
  ws::UpgradePolicy policy_;
  Peer peer_{settings_};
};

class BenchLoad : public testing::Test {
 protected:
  void SetUp() override {
    session::ServerOptions options;
    options.loops = 1;
    server_ = std::make_unique<session::Server>(options);
    const auto started =
        server_->start({*net::Address::parse("127.0.0.1", 0)}, [](session::LoopServer&, std::size_t) {
          session::Server::Sites sites;
          sites.push_back(std::make_unique<PeerSite>());
          return sites;
        });
    ASSERT_TRUE(started) << started.error().message();
  }

  std::expected<Dialed, std::string> dial_one(const std::string& target) {
    const net::Address& address = server_->addresses().front();
    const auto url = http::parse_url("ws://" + address.text() + target);
    return dial(*url, address, 0, false);
  }
  std::vector<Dialed> dial_many(std::size_t count) {
    std::vector<Dialed> made;
    for (std::size_t i = 0; i < count; ++i) {
      auto dialed = dial_one("/");
      EXPECT_TRUE(dialed) << dialed.error();
      if (dialed) made.push_back(std::move(*dialed));
    }
    return made;
  }

  static void ignore(const BenchProgress& /*progress*/) {}

  std::unique_ptr<session::Server> server_;
};

TEST_F(BenchLoad, ARefusalSaysItsStatus) {
  const auto dialed = dial_one("/refused");
  ASSERT_FALSE(dialed);
  EXPECT_THAT(dialed.error(), testing::HasSubstr("403"));
}

TEST_F(BenchLoad, EchoesAreCountedAndTimed) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{20}, std::size_t{70'000}}) {
    const auto result =
        run_echo_load(dial_many(3), {.in_flight = 4, .size = size, .duration = milliseconds(100)}, ignore);
    ASSERT_TRUE(result) << result.error();
    EXPECT_GT(result->messages, 0U);
    EXPECT_EQ(result->latency.count(), result->messages);
    EXPECT_GE(result->bytes, result->messages * size);
    EXPECT_EQ(result->lost + result->wrong + result->unanswered, 0U);
  }
}

TEST_F(BenchLoad, ARateIsKept) {
  const auto result =
      run_echo_load(dial_many(3), {.size = 20, .rate = 1000, .duration = milliseconds(200)}, ignore);
  ASSERT_TRUE(result) << result.error();
  // Numbers 0 to 200 are due, and each of them has a latency, answered in time or not.
  EXPECT_EQ(result->latency.count(), 201U);
  EXPECT_LE(result->messages, result->latency.count());
  EXPECT_EQ(result->lost + result->wrong, 0U);
}

TEST_F(BenchLoad, AServerThatStopsIsNoticed) {
  auto connections = dial_many(2);
  server_->stop(1012, "", milliseconds(0));
  const auto result = run_echo_load(std::move(connections), {.duration = std::chrono::seconds(60)}, ignore);
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->lost, 2U);
}

TEST_F(BenchLoad, RefusedSubscriptionsAreWrongAnswers) {
  const auto result =
      run_subscribe_load(dial_many(2), {.request = "subscribe badly", .duration = milliseconds(1)}, ignore);
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->wrong, 2U);
  EXPECT_EQ(result->lost + result->unanswered, 0U);
}

}  // namespace
}  // namespace fanfare::app
