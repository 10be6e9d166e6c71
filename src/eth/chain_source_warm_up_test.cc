// Logs that a source requests before anybody needs them.

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string>

#include "eth/chain_source_world.h"

namespace fanfare::eth {
namespace {

using namespace std::chrono_literals;

std::string resumed_from(const Header& block) {
  const Position position{
      .number = block.number, .hash = block.hash, .logs_told = Position::kAll, .ancestors = {}};
  return R"(["logs",{},{"cursor":")" + to_cursor(position) + R"("}])";
}

class WarmUp : public ::testing::Test {
 protected:
  explicit WarmUp(Duration time = 30s) : world_({.logs_warm_up = time}) {
    world_.held = [this](const jsonrpc::UpstreamCall& call) {
      if (call.method == "eth_getLogs") ++logs_calls_;
      return false;
    };
    world_.start();
  }
  void mine(int blocks) {
    for (int i = 0; i < blocks; ++i) {
      world_.node.mine(1);
      world_.catch_up();
    }
  }
  void pass(Duration time) {
    for (const Instant end = world_.now + time; world_.now < end;) world_.tick();
  }

  std::size_t logs_calls_ = 0;
  ChainSourceWorld world_;
};
class NoWarmUp : public WarmUp {
 protected:
  NoWarmUp() : WarmUp(0s) {}
};

TEST_F(WarmUp, AReaderThatComesThenIsAnsweredFromMemory) {
  const HeaderPtr begin = world_.source.tip();
  mine(3);
  ASSERT_EQ(world_.source.tip()->number, begin->number + 3);
  const std::size_t calls = logs_calls_;
  EXPECT_GT(calls, 0U);
  RecordingSubscriber subscriber;
  world_.subscribe(1, subscriber, resumed_from(*begin));
  world_.settle();
  EXPECT_EQ(subscriber.results.size(), expected_logs(world_.node, begin->number, {}).size());
  EXPECT_FALSE(subscriber.results.empty());
  EXPECT_EQ(logs_calls_, calls);
}

TEST_F(NoWarmUp, TheSameReaderCausesACallForEachBlock) {
  const HeaderPtr begin = world_.source.tip();
  mine(3);
  EXPECT_EQ(logs_calls_, 0U);
  RecordingSubscriber subscriber;
  world_.subscribe(1, subscriber, resumed_from(*begin));
  world_.settle();
  EXPECT_EQ(subscriber.results.size(), expected_logs(world_.node, begin->number, {}).size());
  EXPECT_GT(logs_calls_, 0U);
}

TEST_F(WarmUp, EndsAndNothingIsRequestedAfterIt) {
  mine(1);
  const std::size_t calls = logs_calls_;
  EXPECT_GT(calls, 0U);
  pass(31s);
  mine(3);
  EXPECT_EQ(logs_calls_, calls);
}

TEST_F(WarmUp, DoesNotEndTheLogsOfSomebodyWhoNeedsThem) {
  RecordingSubscriber subscriber;
  world_.subscribe(1, subscriber, R"(["logs",{}])");
  pass(31s);
  const std::uint64_t before = world_.source.tip()->number;
  mine(2);
  EXPECT_EQ(subscriber.results.size(), expected_logs(world_.node, before, {}).size());
  EXPECT_FALSE(subscriber.results.empty());
}

TEST_F(WarmUp, GoesOnWhenTheFirstReaderHasLeft) {
  RecordingSubscriber subscriber;
  world_.subscribe(1, subscriber, R"(["logs",{}])");
  world_.drop(1);
  const std::size_t calls = logs_calls_;
  mine(1);
  EXPECT_GT(logs_calls_, calls);
}

}  // namespace
}  // namespace fanfare::eth
