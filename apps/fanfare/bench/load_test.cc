#include "bench/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "net/certificate_for_tests.h"
#include "session/accept_tls.h"
#include "session/http_connection.h"
#include "session/server.h"

namespace fanfare::app {
namespace {

using std::chrono::milliseconds;

// Sessions that a client closed with 1000.
std::atomic<std::uint64_t> closed_normally = 0;

// Echoes messages. A message that begins with "subscribe" is answered, then followed by three notifications.
// At "/all" every message goes to all connections.
class Peer final : public session::Endpoint {
 public:
  Peer(const session::SessionSettings& settings, bool to_all) : Endpoint(settings), to_all_(to_all) {}
  void on_open(session::Session& peer) override { everyone_.push_back(&peer); }
  void on_close(session::Session& peer, const session::CloseInfo& how) override {
    if (how.cause == session::Cause::peer_closed && how.code == 1000) ++closed_normally;
    std::erase(everyone_, &peer);
  }
  void on_message(session::Session& peer, const session::Message& message) override {
    if (to_all_) {
      for (session::Session* each : everyone_) each->send(message.opcode, message.payload);
      return;
    }
    if (!as_text(message.payload).starts_with("subscribe")) {
      peer.send(message.opcode, message.payload);
      return;
    }
    peer.send_text(as_text(message.payload) == "subscribe" ? R"({"result":"0x1"})" : R"({"error":{}})");
    for (const char* text : {"1", "2", "3"}) {
      peer.send_text(std::string(R"({"method":"s","params":{"result":)") + text + "}}");
    }
  }

 private:
  bool to_all_;
  std::vector<session::Session*> everyone_;
};

class Greeter final : public session::Endpoint {
 public:
  using Endpoint::Endpoint;
  void on_open(session::Session& peer) override { peer.send_text("hello"); }
  void on_message(session::Session&, const session::Message&) override {}
};

// "/deflate" compresses as the client requests.
class PeerSite final : public session::HttpService {
 public:
  PeerSite() { plain_.deflate.enabled = false; }
  void on_request(session::HttpConnection& peer, const http::Request& /*request*/) override {
    peer.respond({.status = 404});
  }
  session::UpgradeDecision on_upgrade(session::HttpConnection& /*peer*/,
                                      const http::Request& request) override {
    if (request.target == "/refused") return session::HttpResponse{.status = 403};
    return session::Acceptance{.endpoint = endpoint_of(request.target),
                               .policy = request.target == "/deflate" ? &deflate_ : &plain_,
                               .data = nullptr};
  }

 private:
  session::Endpoint* endpoint_of(std::string_view target) {
    if (target == "/greeter") return &greeter_;
    return target == "/all" ? &all_ : &peer_;
  }

  session::SessionSettings settings_;
  ws::UpgradePolicy plain_;
  ws::UpgradePolicy deflate_;
  Peer peer_{settings_, false};
  Peer all_{settings_, true};
  Greeter greeter_{settings_};
};

class BenchLoad : public testing::TestWithParam<net::LoopKind> {
 protected:
  void SetUp() override {
    const auto certificate = session::ServerCertificate::load(
        {.certificate_file = certificate_.certificate_file(), .key_file = certificate_.key_file()});
    ASSERT_TRUE(certificate) << certificate.error();
    const auto here = *net::Address::parse("127.0.0.1", 0);
    session::ServerOptions options;
    options.loops = 1;
    server_ = std::make_unique<session::Server>(options);
    const auto started =
        server_->start({{.address = here}, {.address = here, .options = {.certificate = *certificate}}},
                       [](session::LoopServer&, std::size_t) {
                         session::Server::HttpServices services;
                         services.push_back(std::make_unique<PeerSite>());
                         services.push_back(std::make_unique<PeerSite>());
                         return services;
                       });
    ASSERT_TRUE(started) << started.error().message();
  }

  std::expected<Dialed, std::string> dial_one(const std::string& target, const DialOptions& options = {}) {
    const bool secure = options.tls != nullptr;
    const net::Address& address = server_->addresses()[secure ? 1 : 0];
    const auto url = http::parse_url((secure ? "wss://" : "ws://") + address.text() + target);
    return dial(*url, address, 0, options);
  }
  std::vector<Dialed> dial_many(std::size_t count, const std::string& target = "/",
                                const DialOptions& options = {}) {
    std::vector<Dialed> made;
    for (std::size_t i = 0; i < count; ++i) {
      auto dialed = dial_one(target, options);
      EXPECT_TRUE(dialed) << dialed.error();
      if (dialed) made.push_back(std::move(*dialed));
    }
    return made;
  }
  DialOptions trusting(const std::string& ca_file) const {
    auto context = net::TlsContext::client({.ca_file = ca_file});
    EXPECT_TRUE(context) << context.error();
    return {.tls = *context};
  }

  // Repeats until something was measured; on a busy machine the first attempt may fail.
  template <typename Load>
  static std::expected<BenchResult, std::string> until_measured(Load&& load) {
    auto result = load();
    while (result && result->messages == 0 && result->lost + result->wrong == 0) result = load();
    return result;
  }

  static auto echo(std::vector<Dialed> connections, EchoLoad load) {
    load.loop = GetParam();
    return run_echo_load(connections, load, [](const BenchProgress&) {});
  }
  static auto broadcast(std::vector<Dialed> connections, EchoLoad load) {
    load.loop = GetParam();
    return run_broadcast_load(connections, load, [](const BenchProgress&) {});
  }
  static auto subscribe(std::vector<Dialed> connections, SubscribeLoad load) {
    load.loop = GetParam();
    return run_subscribe_load(connections, load, [](const BenchProgress&) {});
  }

  net::TestCertificate certificate_;
  std::unique_ptr<session::Server> server_;
};

TEST_P(BenchLoad, ARefusalSaysItsStatus) {
  const auto dialed = dial_one("/refused");
  ASSERT_FALSE(dialed);
  EXPECT_THAT(dialed.error(), testing::HasSubstr("403"));
}

TEST_P(BenchLoad, ACrowdIsDialedToTheLast) {
  const auto url = http::parse_url("ws://" + server_->addresses().front().text() + "/");
  auto connections = dial_all(*url, {}, {.count = 50, .ramp = milliseconds(20)}, [](std::size_t) {});
  ASSERT_TRUE(connections) << connections.error();
  ASSERT_EQ(connections->size(), 50U);
  for (const Dialed& each : *connections) EXPECT_TRUE(each.socket.valid());
}

TEST_P(BenchLoad, TheFirstRefusalEndsACrowd) {
  const auto url = http::parse_url("ws://" + server_->addresses().front().text() + "/refused");
  const auto connections = dial_all(*url, {}, {.count = 50}, [](std::size_t) {});
  ASSERT_FALSE(connections);
  EXPECT_THAT(connections.error(), testing::HasSubstr("403"));
}

TEST_P(BenchLoad, EchoesAreCountedAndTimed) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{20}, std::size_t{70'000}}) {
    const EchoLoad load{.in_flight = 4, .size = size, .duration = milliseconds(100)};
    const auto result = until_measured([&] { return echo(dial_many(3), load); });
    ASSERT_TRUE(result) << result.error();
    EXPECT_GT(result->messages, 0U);
    EXPECT_EQ(result->latency.count(), result->messages);
    EXPECT_GE(result->bytes, result->messages * size);
    EXPECT_EQ(result->lost + result->wrong + result->unanswered, 0U);
  }
}

TEST_P(BenchLoad, TheSameUnderTls) {
  const DialOptions options = trusting(certificate_.certificate_file());
  for (const std::size_t size : {std::size_t{20}, std::size_t{70'000}}) {
    const EchoLoad load{.in_flight = 4, .size = size, .duration = milliseconds(100)};
    const auto result = until_measured([&] { return echo(dial_many(3, "/", options), load); });
    ASSERT_TRUE(result) << result.error();
    EXPECT_GT(result->messages, 0U);
    EXPECT_EQ(result->latency.count(), result->messages);
    EXPECT_EQ(result->lost + result->wrong + result->unanswered, 0U);
  }
}

TEST_P(BenchLoad, AStrangersCertificateIsRefused) {
  const net::TestCertificate other;
  const auto dialed = dial_one("/", trusting(other.certificate_file()));
  ASSERT_FALSE(dialed);
  EXPECT_THAT(dialed.error(), testing::HasSubstr("certificate"));
}

TEST_P(BenchLoad, CompressedEchoesAreComparedToo) {
  for (const bool forget : {false, true}) {
    const DialOptions options{
        .deflate = {.server_no_context_takeover = forget, .client_no_context_takeover = forget}};
    // Enough for more than two cycles of messages on a connection, even if this is slow.
    const auto result =
        echo(dial_many(1, "/deflate", options), {.size = 500, .rate = 1000, .duration = milliseconds(200)});
    ASSERT_TRUE(result) << result.error();
    EXPECT_EQ(result->latency.count(), 201U);
    EXPECT_GT(result->bytes, 0U);
    EXPECT_EQ(result->lost + result->wrong, 0U);
    if (result->unanswered == 0) {
      EXPECT_LT(result->bytes, 201U * 500);
    }
  }
}

TEST_P(BenchLoad, AServerThatDoesNotCompressIsNotMeasuredAsIfItDid) {
  const auto dialed = dial_one("/", {.deflate = {}});
  ASSERT_FALSE(dialed);
  EXPECT_THAT(dialed.error(), testing::HasSubstr("compress"));
}

TEST_P(BenchLoad, EveryoneGetsABroadcast) {
  const EchoLoad load{.in_flight = 2, .size = 500, .duration = milliseconds(100)};
  const auto result = until_measured([&] { return broadcast(dial_many(6, "/all"), load); });
  ASSERT_TRUE(result) << result.error();
  EXPECT_GE(result->messages, 5 * result->broadcasts);
  EXPECT_GE(result->latency.count(), result->messages);
  EXPECT_GE(result->to_all.count(), result->broadcasts);
  EXPECT_EQ(result->lost + result->wrong, 0U);
}

TEST_P(BenchLoad, BroadcastsComeAtARate) {
  const auto result =
      broadcast(dial_many(4, "/all"), {.size = 20, .rate = 1000, .duration = milliseconds(100)});
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->lost + result->wrong, 0U);
  // Each due message counts for each of the three connections, received or not.
  EXPECT_EQ(result->latency.count() % 3, 0U);
  EXPECT_GE(result->latency.count(), 3U);
  EXPECT_LE(result->latency.count(), 303U);
}

TEST_P(BenchLoad, ABroadcastThatOnlyItsSenderGetsIsUnanswered) {
  const auto result = broadcast(dial_many(3), {.duration = milliseconds(10)});
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->broadcasts, 0U);
  EXPECT_EQ(result->unanswered, 2U);
}

TEST_P(BenchLoad, ARateIsKept) {
  const auto result = echo(dial_many(3), {.size = 20, .rate = 1000, .duration = milliseconds(200)});
  ASSERT_TRUE(result) << result.error();
  // Messages 0 to 200 are due, and each has a latency, whether answered in time or not.
  EXPECT_EQ(result->latency.count(), 201U);
  EXPECT_LE(result->messages, result->latency.count());
  EXPECT_EQ(result->lost + result->wrong, 0U);
}

// No coordinated omission: messages are due even if earlier ones were not answered.
TEST_P(BenchLoad, WhatNeverComesBackCountsWithTheTimeItHasTaken) {
  const auto silent = net::listen_on(*net::Address::parse("127.0.0.1", 0));
  ASSERT_TRUE(silent) << silent.error().message();
  const auto address = net::local_address(silent->get());
  ASSERT_TRUE(address) << address.error().message();
  std::vector<Dialed> connections;
  for (std::size_t i = 0; i < 2; ++i) {
    auto dialed = dial(*http::parse_url("ws://" + address->text()), *address, i, {.raw = true});
    ASSERT_TRUE(dialed) << dialed.error();
    connections.push_back(std::move(*dialed));
  }
  const auto result =
      echo(std::move(connections), {.rate = 1000, .duration = milliseconds(100), .raw = true});
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->messages, 0U);
  EXPECT_EQ(result->unanswered, 101U);
  EXPECT_EQ(result->latency.count(), 101U);
  EXPECT_GE(result->latency.at(0.001), 1'000'000'000U) << "a second was waited for the last one";
  EXPECT_GE(result->latency.max(), 1'100'000'000U) << "and longer for the first";
}

TEST_P(BenchLoad, AServerThatStopsIsNoticed) {
  auto connections = dial_many(2);
  server_->stop(1012, "", milliseconds(0));
  const auto result = echo(std::move(connections), {.duration = std::chrono::seconds(60)});
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->lost, 2U);
}

// These do not depend on the loop that the other loads use.
class ConnectLoadTest : public BenchLoad {
 protected:
  std::expected<BenchResult, std::string> connect(const net::Address& address, const std::string& target,
                                                  std::size_t at_once, const DialOptions& options = {}) {
    const auto url = http::parse_url((options.tls ? "wss://" : "ws://") + address.text() + target);
    return until_measured([&] {
      return run_connect_load(*url, options, {.at_once = at_once, .duration = milliseconds(100)},
                              [](const BenchProgress&) {});
    });
  }
};

TEST_P(ConnectLoadTest, ConnectionsAreCountedFromConnectToTheServersEnd) {
  const DialOptions secure = trusting(certificate_.certificate_file());
  for (const bool tls : {false, true}) {
    const std::uint64_t before = closed_normally;
    const auto result = connect(server_->addresses()[tls ? 1 : 0], "/", 3, tls ? secure : DialOptions{});
    ASSERT_TRUE(result) << result.error();
    EXPECT_GT(result->messages, 0U);
    EXPECT_EQ(result->unit, "handshakes");
    EXPECT_EQ(result->lost + result->wrong, 0U);
    EXPECT_GE(result->latency.count(), result->messages);
    EXPECT_LE(result->latency.count(), result->messages + 3) << "the last ones may still be closing";
    EXPECT_GE(closed_normally - before, result->messages);
  }
}

TEST_P(ConnectLoadTest, ARefusedUpgradeIsSaid) {
  const auto result = connect(server_->addresses()[0], "/refused", 2);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error(), testing::HasSubstr("403"));
}

TEST_P(ConnectLoadTest, AMessageInPlaceOfACloseIsWrong) {
  const auto result = connect(server_->addresses()[0], "/greeter", 1);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error(), testing::HasSubstr("something else than Close"));
}

TEST_P(BenchLoad, RefusedSubscriptionsAreWrongAnswers) {
  const auto result = subscribe(dial_many(2), {.request = "subscribe badly", .duration = milliseconds(1)});
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->wrong, 2U);
  EXPECT_EQ(result->lost + result->unanswered, 0U);
}

INSTANTIATE_TEST_SUITE_P(One, ConnectLoadTest, testing::Values(net::LoopKind::epoll));
INSTANTIATE_TEST_SUITE_P(Loops, BenchLoad, testing::Values(net::LoopKind::uring, net::LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == net::LoopKind::uring ? "uring" : "epoll";
                         });

}  // namespace
}  // namespace fanfare::app
