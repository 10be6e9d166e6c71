// What a loop refuses and what it does not: over real connections through a router, on both loops.

#include "gateway/defend/loop_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "gateway/defend/shed.h"
#include "jsonrpc/request.h"
#include "server/router.h"
#include "session/loop_server_for_tests.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

constexpr std::uint32_t kWhole = LoadControl::kWhole;

// Echoes; "/vital" is served whatever happens.
class GuardedMount final : public server::Mount {
 public:
  GuardedMount(session::EchoEndpoint& endpoint, bool is_vital) : endpoint_(endpoint), is_vital_(is_vital) {}
  server::Offer offer(const server::PathPattern::Match&) const override {
    return {.methods = "GET, POST", .has_websocket = true, .is_vital = is_vital_};
  }
  void on_request(session::HttpConnection& session, const server::Target&) override {
    session.respond({.body = "served\n", .headers = {}});
  }
  session::UpgradeDecision on_upgrade(session::HttpConnection&, const server::Target&) override {
    return session::Acceptance{.endpoint = &endpoint_, .policy = &policy_, .data = nullptr};
  }

 private:
  session::EchoEndpoint& endpoint_;
  const bool is_vital_;
  ws::UpgradePolicy policy_;
};

class LoopGuardTest : public session::LoopServerTest {
 protected:
  LoopGuardTest() {
    cells_.loops.emplace_back();
    cells_.batches.emplace_back();
    cells_.slices.emplace_back();
    cells_.workers.emplace_back();
    guard_ = std::make_unique<LoopGuard>(cells_, 0, DefencePlan{});
    start();
    context_ = std::make_shared<server::LoopContext>(*loop_, 0);
    router_ = std::make_unique<server::Router>(context_, server::RouterOptions{.guard = guard_.get()});
    router_->mount(*server::PathPattern::parse("/"), std::make_shared<GuardedMount>(endpoint_, false));
    router_->mount(*server::PathPattern::parse("/vital"), std::make_shared<GuardedMount>(endpoint_, true));
  }
  ~LoopGuardTest() override { server_->close_all(); }

  net::Descriptor dial() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server_->serve(net::Descriptor(ends[0]), *router_);
    return net::Descriptor(ends[1]);
  }
  std::string get(std::string_view path, std::string_view headers = "") {
    const net::Descriptor peer = dial();
    write(peer, "GET " + std::string(path) + " HTTP/1.1\r\nHost: here\r\nConnection: close\r\n" +
                    std::string(headers) + "\r\n");
    return read_until(peer, "EOF");
  }
  std::string upgrade(std::string_view headers = "", std::string_view until = "\r\n\r\n") {
    last_ = dial();
    write(last_,
          "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
              std::string(headers) + "\r\n");
    return read_until(last_, until);
  }
  std::optional<rpc::Refusal> call(std::string_view method) {
    jsonrpc::Request request;
    request.method = method;
    return guard_->refuse_call(request, 0);
  }
  std::uint64_t refused(Work work, Shortage why) { return cells_.refused_for(work, why).value(); }

  DefenceCells cells_;
  std::unique_ptr<LoopGuard> guard_;
  std::shared_ptr<server::LoopContext> context_;
  std::unique_ptr<server::Router> router_;
  net::Descriptor last_;
};

constexpr const char* k503 = "HTTP/1.1 503 ";

TEST_P(LoopGuardTest, InCalmEverythingIsServed) {
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(upgrade(), StartsWith("HTTP/1.1 101"));
  EXPECT_FALSE(call("eth_call"));
}

TEST_P(LoopGuardTest, WhileLongBatchesWaitOnlyAShareOfThemIsTakenOnAndOtherWorkIsServed) {
  cells_.batches[0].admitted = kWhole / 4;
  int taken = 0;
  for (int i = 0; i < 100; ++i) taken += guard_->refuse_batch() ? 0 : 1;
  for (int i = 0; i < 100; ++i) taken += guard_->refuse_batch_request() ? 0 : 1;
  EXPECT_EQ(taken, 50);
  EXPECT_EQ(refused(Work::call, Shortage::batches) + refused(Work::request, Shortage::batches), 150U);
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(upgrade(), StartsWith("HTTP/1.1 101"));
  EXPECT_FALSE(call("eth_call"));
  cells_.batches[0].admitted = kWhole;
  EXPECT_FALSE(guard_->refuse_batch());
}

TEST_P(LoopGuardTest, WhileLongBatchesAreRefusedTheirQueueHasALimit) {
  rpc::SliceLoad& load = guard_->slices();
  load.note_turn(std::chrono::milliseconds(1));
  for (int i = 0; i < 10; ++i) load.add_work();
  cells_.batches[0].is_wary = true;
  cells_.batches[0].admitted = kWhole - 1;
  EXPECT_TRUE(guard_->refuse_batch()) << "the one of the share";
  EXPECT_FALSE(guard_->refuse_batch()) << "twice the target of 5 ms";
  load.add_work();
  EXPECT_TRUE(guard_->refuse_batch());
  EXPECT_TRUE(guard_->refuse_batch_request());
  // The same load may go on, refused by the loop's share for a while.
  cells_.batches[0].admitted = kWhole;
  EXPECT_TRUE(guard_->refuse_batch());
  // A burst that comes to a server that is well may be longer.
  cells_.batches[0].is_wary = false;
  EXPECT_FALSE(guard_->refuse_batch());
  load.remove_works(11, 0);
}

TEST_P(LoopGuardTest, ARefusedLongBatchIsToldWhenToReturn) {
  cells_.batches[0].admitted = 0;
  const auto refusal = guard_->refuse_batch();
  ASSERT_TRUE(refusal);
  EXPECT_TRUE(refusal->is_overload);
  EXPECT_THAT(refusal->data_json, MatchesRegex(R"(\{"retry_after_ms":1[0-9]{3}\})"));
  const auto response = guard_->refuse_batch_request();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->headers.at(0).name, "Retry-After");
}

TEST_P(LoopGuardTest, AtTheSoftMarkNewConnectionsAreRefusedAndOpenOnesAreServed) {
  EXPECT_THAT(upgrade(), StartsWith("HTTP/1.1 101"));
  const net::Descriptor open = std::move(last_);
  cells_.memory = MemoryLevel::soft;
  EXPECT_THAT(upgrade(), AllOf(StartsWith(k503), HasSubstr("Retry-After: ")));
  EXPECT_THAT(get("/", "Accept: text/event-stream\r\n"), StartsWith(k503));
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200"));
  EXPECT_FALSE(call("eth_call"));
  write(open, session::client_frame(0x81, "still here"));
  EXPECT_THAT(read_until(open, "still here"), HasSubstr("still here"));
  EXPECT_EQ(refused(Work::connection, Shortage::memory), 2U);
}

TEST_P(LoopGuardTest, AtTheHardMarkAllNewWorkIsRefusedButWhatAnOperatorNeeds) {
  cells_.memory = MemoryLevel::hard;
  EXPECT_THAT(get("/"), AllOf(StartsWith(k503), HasSubstr("the server has too much to do, try again in ")));
  EXPECT_THAT(get("/vital"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(upgrade("Origin: https://app.example\r\n"), StartsWith(k503));
  const auto refusal = call("eth_call");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(static_cast<int>(refusal->code), -32005);
  EXPECT_TRUE(refusal->is_overload);
  EXPECT_THAT(refusal->data_json, MatchesRegex(R"(\{"retry_after_ms":1[0-9][0-9][0-9]\})"));
  for (const char* method : {"eth_unsubscribe", "eth_uninstallFilter", "fanfare_authenticate"}) {
    EXPECT_FALSE(call(method)) << method;
  }
  cells_.memory = MemoryLevel::normal;
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200"));
}

TEST_P(LoopGuardTest, AnOverloadedLoopTakesAShareOfRequestsAndNoNewConnection) {
  cells_.loops[0].admitted = kWhole / 4;
  int served = 0;
  for (int i = 0; i < 40; ++i) served += get("/").starts_with("HTTP/1.1 200") ? 1 : 0;
  EXPECT_EQ(served, 10);
  EXPECT_THAT(upgrade(), StartsWith(k503));
  EXPECT_EQ(refused(Work::request, Shortage::loop), 30U);
  EXPECT_EQ(refused(Work::connection, Shortage::loop), 1U);
}

// The WebSocket API tells scripts nothing of an answer that is not 101.
TEST_P(LoopGuardTest, APageGetsACloseCodeWithAHint) {
  cells_.loops[0].admitted = kWhole - 1;
  const std::string answer = upgrade("Origin: https://app.example\r\n", " s");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 101"));
  const std::size_t frame = answer.find("\r\n\r\n") + 4;
  EXPECT_EQ(answer.substr(frame, 1), "\x88");
  EXPECT_EQ(answer.substr(frame + 2, 2), "\x03\xf5") << "1013";
  EXPECT_THAT(answer.substr(frame + 4), MatchesRegex("the server has too much to do, try again in [0-9]+ s"));
}

TEST_P(LoopGuardTest, AnOverloadedUpstreamThreadConcernsItsNetworksOnly) {
  cells_.workers.emplace_back();
  guard_ = std::make_unique<LoopGuard>(cells_, 0, DefencePlan{});
  cells_.workers[1].admitted = 0;
  EXPECT_TRUE(guard_->refuse_request_of(1));
  EXPECT_TRUE(guard_->refuse_upgrade_of(1));
  EXPECT_FALSE(guard_->refuse_request_of(0));
  EXPECT_FALSE(guard_->refuse_upgrade_of(0));
  EXPECT_EQ(refused(Work::request, Shortage::upstream), 1U);
}

TEST_P(LoopGuardTest, RetryAfterIsSpreadFromTheSettingToTwiceThat) {
  cells_.memory = MemoryLevel::hard;
  std::set<int> waits;
  for (int i = 0; i < 200; ++i) waits.insert(std::stoi(guard_->refuse_request({})->headers.front().value));
  EXPECT_EQ(*waits.begin(), 5);
  EXPECT_EQ(*waits.rbegin(), 10);
  EXPECT_EQ(waits.size(), 6U);
}

class ShedTest : public session::LoopServerTest {
 protected:
  // A WebSocket whose client reads nothing of this much.
  net::Descriptor open_with_backlog(std::size_t bytes) {
    net::Descriptor peer = open_websocket();
    const std::string text(bytes, 'x');
    endpoint_.last->send_text(text);
    loop_->run_once(0ms);
    return peer;
  }
};

TEST_P(ShedTest, TheLargestBacklogsAreChosenUntilTheyAreEnough) {
  const std::vector<Backlog> all{
      {.loop = 0, .bytes = 5}, {.loop = 1, .bytes = 100}, {.loop = 0, .bytes = 50}};
  const auto bytes = [&](std::size_t enough) {
    std::vector<std::size_t> chosen;
    for (const Backlog& one : choose_to_shed(all, enough)) chosen.push_back(one.bytes);
    return chosen;
  };
  EXPECT_EQ(bytes(100), std::vector<std::size_t>{100});
  EXPECT_EQ(bytes(101), (std::vector<std::size_t>{100, 50}));
  EXPECT_EQ(bytes(1000), (std::vector<std::size_t>{100, 50, 5}));
  EXPECT_TRUE(bytes(0).empty());
}

TEST_P(ShedTest, AReaderIsNotListedAndABacklogIs) {
  settings_.outbox_bytes_max = 8 << 20;
  const net::Descriptor idle = open_websocket();
  const net::Descriptor slow = open_with_backlog(4 << 20);
  const auto found = largest_backlogs(*server_, 7);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].id, endpoint_.last->id());
  EXPECT_EQ(found[0].loop, 7U);
  EXPECT_GT(found[0].bytes, std::size_t{2} << 20);
}

TEST_P(ShedTest, AClientThatReadsGetsEverythingAnd1013) {
  settings_.outbox_bytes_max = 8 << 20;
  const net::Descriptor slow = open_with_backlog(4 << 20);
  ASSERT_TRUE(shed(*server_, endpoint_.last->id()));
  const std::string text = read_until(slow, "reads too slowly");
  EXPECT_GT(text.size(), std::size_t{4} << 20);
  EXPECT_TRUE(largest_backlogs(*server_, 0).empty());
}

TEST_P(ShedTest, AClientThatDoesNotIsDroppedAfterTheGrace) {
  settings_.outbox_bytes_max = 8 << 20;
  const net::Descriptor slow = open_with_backlog(4 << 20);
  const session::SessionId id = endpoint_.last->id();
  ASSERT_TRUE(shed(*server_, id));
  EXPECT_TRUE(largest_backlogs(*server_, 0).empty()) << "it is being closed already";
  EXPECT_FALSE(shed(*server_, id));
  clock_.advance(kShedGrace - 1ms);
  loop_->run_once(0ms);
  EXPECT_NE(server_->sessions().find(id), nullptr);
  clock_.advance(2ms);
  EXPECT_TRUE(run_until([&] { return server_->sessions().size() == 0; }));
}

TEST_P(ShedTest, AnHttpConnectionThatDoesNotReadItsAnswerIsDropped) {
  service_.when_request = {};
  const net::Descriptor peer = connect();
  write(peer, "GET /later HTTP/1.1\r\nHost: here\r\n\r\n");
  EXPECT_TRUE(run_until([&] { return service_.waiting != session::SessionId{}; }));
  server_->sessions()
      .find_http(service_.waiting)
      ->respond({.body = std::string(4 << 20, 'x'), .headers = {}});
  loop_->run_once(0ms);
  const auto found = largest_backlogs(*server_, 0);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(shed(*server_, found[0].id));
  EXPECT_TRUE(run_until([&] { return server_->sessions().size() == 0; }));
}

INSTANTIATE_TEST_SUITE_P(Loops, LoopGuardTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring));
INSTANTIATE_TEST_SUITE_P(Loops, ShedTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring));

}  // namespace
}  // namespace fanfare::gateway
