#include "gateway/filter_calls.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "gateway/ready_waiters.h"
#include "jsonrpc/value.h"
#include "upstream/time_for_tests.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

eth::HeaderPtr header(std::uint64_t number, std::uint8_t digit) {
  eth::Header made{.number = number};
  made.hash.bytes.fill(digit);
  return std::make_shared<const eth::Header>(std::move(made));
}

struct FilterCallsTest : testing::Test {
  FilterCallsTest() { calls.on_events({eth::Baseline{header(100, 1)}}); }

  static ForwardItem item(const std::string& method, const std::string& params = "[]") {
    return {.id = "7", .method = method, .params = params, .answer = {}};
  }
  // The job when it is finished; without items until then.
  std::shared_ptr<ForwardJob> ask(std::vector<ForwardItem> items) {
    auto job = std::make_shared<ForwardJob>();
    calls.answer({.items = std::move(items)}, "", [job](ForwardJob done) { *job = std::move(done); });
    return job;
  }
  std::string ask_one(const std::string& method, const std::string& params = "[]") {
    const auto job = ask({item(method, params)});
    return job->items.empty() ? "(none yet)" : job->items[0].answer;
  }
  std::string id_of(const std::string& answer) {
    return "[" + std::string(jsonrpc::member(answer, "result").value_or("?")) + "]";
  }
  void block(std::uint64_t number, std::uint8_t digit) {
    calls.on_events({eth::BlockAdded{.header = header(number, digit), .logs = nullptr}});
  }

  upstream::testing::SimulatedTime time;
  SystemRandom random;
  eth::Interest interest;
  bool ready = true;
  std::string refusal;
  ReadyWaiters waiters{time, {}};
  FilterCalls calls{time,
                    {},
                    random,
                    {.set_interest = [this](const eth::Interest& now) { interest = now; },
                     .followed =
                         [this](ReadyWaiters::Done done) {
                           waiters.set_ready(ready);
                           waiters.wait(std::move(done));
                         },
                     .await_pending =
                         [this](UniqueFunction<void(const std::string&)> done) {
                           EXPECT_NE(interest.pending, eth::PendingWanted::nothing);
                           done(refusal);
                         }}};
};

TEST_F(FilterCallsTest, AFilterLivesFromItsMakingToItsEnd) {
  const std::string id = id_of(ask_one("eth_newBlockFilter"));
  EXPECT_EQ(ask_one("eth_getFilterChanges", id), R"({"jsonrpc":"2.0","id":7,"result":[]})");
  block(101, 0x22);
  EXPECT_EQ(ask_one("eth_getFilterChanges", id),
            R"({"jsonrpc":"2.0","id":7,"result":["0x)" + std::string(64, '2') + "\"]}");
  EXPECT_EQ(ask_one("eth_uninstallFilter", id), R"({"jsonrpc":"2.0","id":7,"result":true})");
  EXPECT_EQ(ask_one("eth_uninstallFilter", id), R"({"jsonrpc":"2.0","id":7,"result":false})");
  EXPECT_EQ(ask_one("eth_getFilterChanges", id),
            R"({"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"filter not found"}})");
}

TEST_F(FilterCallsTest, TheLogsOfAFilterAreAskedOfANodeAndWhatElseIsInABatchTooIsLeftAlone) {
  const std::string id = id_of(ask_one("eth_newFilter", R"([{"fromBlock":"0x1"}])"));
  EXPECT_TRUE(interest.logs);
  const auto job =
      ask({item("eth_chainId"), item("eth_getFilterLogs", id), item("eth_getFilterLogs", R"(["0x1"])")});
  ASSERT_EQ(job->items.size(), 3U);
  EXPECT_EQ(job->items[0].answer, "");
  EXPECT_EQ(job->items[1].answer, "");
  EXPECT_EQ(job->items[1].method, "eth_getLogs");
  EXPECT_EQ(job->items[1].params, R"([{"fromBlock":"0x1"}])");
  EXPECT_TRUE(job->items[2].answer.contains("filter not found"));
  ask_one("eth_uninstallFilter", id);
  EXPECT_FALSE(interest.logs);
}

TEST_F(FilterCallsTest, AChainThatCannotBeFollowedIsAnErrorAndNotSilence) {
  ready = false;
  const auto late = ask({item("eth_newBlockFilter")});
  time.run_for(4s);
  EXPECT_TRUE(late->items.empty());
  waiters.set_ready(true);
  ASSERT_FALSE(late->items.empty());
  EXPECT_TRUE(late->items[0].answer.contains("\"result\""));
  const auto never = ask({item("eth_newBlockFilter")});
  time.run_for(5s);
  ASSERT_FALSE(never->items.empty());
  EXPECT_TRUE(never->items[0].answer.contains("-32603")) << never->items[0].answer;
  EXPECT_EQ(calls.filters(), 1U);
}

TEST_F(FilterCallsTest, APendingFilterIsRefusedWhereNoNodeTellsOfThem) {
  const std::string id = id_of(ask_one("eth_newPendingTransactionFilter"));
  EXPECT_EQ(interest.pending, eth::PendingWanted::hashes);
  EXPECT_TRUE(ask_one("eth_newPendingTransactionFilter", "[true]").contains("\"result\""));
  EXPECT_EQ(interest.pending, eth::PendingWanted::bodies);
  refusal = "http://secret-node: no";
  const std::string answer = ask_one("eth_newPendingTransactionFilter");
  EXPECT_TRUE(answer.contains("-32603"));
  EXPECT_FALSE(answer.contains("secret"));
  EXPECT_EQ(calls.filters(), 2U);
}

TEST_F(FilterCallsTest, NobodyAsksAndTheSourceIsLeftInPeace) {
  ask_one("eth_newFilter", "[{}]");
  EXPECT_TRUE(interest.logs);
  time.run_for(5min);
  EXPECT_EQ(calls.filters(), 0U);
  EXPECT_FALSE(interest.logs);
}

TEST_F(FilterCallsTest, ABatchesAnswersToPollsAreBoundedAndNothingOfThemIsLost) {
  const std::string one = id_of(ask_one("eth_newBlockFilter"));
  const std::string other = id_of(ask_one("eth_newBlockFilter"));
  block(101, 0x22);
  ForwardJob polls{.items = {item("eth_getFilterChanges", one), item("eth_getFilterChanges", other)}};
  polls.room = AnswerRoom(nullptr, 100);
  ForwardJob answered;
  calls.answer(std::move(polls), "", [&](ForwardJob done) { answered = std::move(done); });
  ASSERT_EQ(answered.items.size(), 2U);
  EXPECT_TRUE(answered.items[0].answer.contains("\"result\":[\"0x22"));
  EXPECT_TRUE(answered.items[1].answer.contains("\"error\"")) << answered.items[1].answer;
  EXPECT_TRUE(ask_one("eth_getFilterChanges", other).contains("\"result\":[\"0x22"));
}

TEST_F(FilterCallsTest, ANotificationMakesNoFilter) {
  const auto job = ask({{.id = "", .method = "eth_newBlockFilter", .params = "[]", .answer = {}}});
  EXPECT_FALSE(job->items[0].answer.empty());  // it is not sent to a node either
  EXPECT_EQ(calls.filters(), 0U);
}

TEST(FilterClients, AreAddressesAndLoopbackIsNobody) {
  EXPECT_EQ(FilterCalls::client_of("1.2.3.4:50312"), "1.2.3.4");
  EXPECT_EQ(FilterCalls::client_of("127.0.0.1:50312"), "");
  EXPECT_EQ(FilterCalls::client_of("[::1]:50312"), "");
  EXPECT_EQ(FilterCalls::client_of("[2001:db8:1:2:3:4:5:6]:1"), "2001:db8:1:2::");
  EXPECT_EQ(FilterCalls::client_of("[2001:db8:1:2:ffff::1]:1"), "2001:db8:1:2::");
  EXPECT_EQ(FilterCalls::client_of(""), "");
}

TEST(ReadyWaiters, MoreThanTheLimitAreToldAtOnce) {
  upstream::testing::SimulatedTime time;
  ReadyWaiters waiters(time, {.wait_max = 1s, .waiters_max = 1});
  std::string told;
  const auto wait = [&] { waiters.wait([&](bool ready) { told += ready ? 'y' : 'n'; }); };
  wait();
  EXPECT_EQ(told, "");
  wait();
  EXPECT_EQ(told, "n");
  time.run_for(1s);
  EXPECT_EQ(told, "nn");
  waiters.set_ready(true);
  wait();
  EXPECT_EQ(told, "nny");
}

}  // namespace
}  // namespace fanfare::gateway
