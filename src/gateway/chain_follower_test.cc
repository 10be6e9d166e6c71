// One stuck node must not stop the head, and a node that is proved wrong comes last.

#include "gateway/chain_follower.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/faulty_node_for_tests.h"
#include "upstream/time_for_tests.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;
using simulated::Fault;
using simulated::FaultyNode;
using upstream::testing::SimulatedTime;

struct Edges final : upstream::Observer {
  void call_finished(const upstream::CallReport&) override {}
  void stall_changed(std::string_view endpoint, bool stalled) override {
    told.push_back(std::string(endpoint) + (stalled ? " stalled" : " caught up"));
  }
  void disagreed(std::string_view endpoint) override { told.push_back(std::string(endpoint) + " disagreed"); }
  std::vector<std::string> told;
};

struct ChainFollowerTest : ::testing::Test {
  static constexpr Duration kBlockTime = 2s;

  ChainFollowerTest() {
    std::vector<std::unique_ptr<upstream::Backend>> members;
    for (const char* name : {"a", "b"}) {
      auto node = std::make_unique<FaultyNode>(name, world, time, random);
      nodes.push_back(node.get());
      members.push_back(std::move(node));
    }
    pool = std::make_unique<upstream::Pool>(
        time, std::move(members), upstream::PoolOptions{.hedge_after = 1s, .random = &random}, &edges);
    follower = std::make_unique<ChainFollower>(
        time, ChainFollower::Nodes{.backend = *pool, .pool = pool.get()}, eth::ChainSourceOptions{}, random,
        ChainFollower::Callbacks{.events = [this](std::vector<eth::SourceEvent> events) { take(events); },
                                 .turn = {},
                                 .shorter = [this](std::uint64_t number) { shorter.push_back(number); },
                                 .hints_useless = [this](std::size_t member) { useless.push_back(member); },
                                 .hints_use_changed =
                                     [this](std::size_t member, bool of_use) {
                                       uses.push_back(std::to_string(member) +
                                                      (of_use ? " is of use" : " is not"));
                                     }});
    follower->start();
    mine(20);  // the block time is known after that
  }
  void take(const std::vector<eth::SourceEvent>& events) {
    for (const eth::SourceEvent& event : events) {
      if (const auto* added = std::get_if<eth::BlockAdded>(&event)) {
        waited[added->header->number] = time.now() - mined_at[added->header->number];
        if (added->logs) logs += added->logs->entries.size();
      }
      if (const auto* late = std::get_if<eth::BlockLogsLate>(&event)) logs += late->logs->entries.size();
      if (std::holds_alternative<eth::LogsMissing>(event)) ++missing;
      if (std::holds_alternative<eth::BlockRemoved>(event)) ++removed;
    }
  }
  // Mines blocks at their usual interval, visible to `who`.
  void mine(int count, std::vector<std::size_t> who = {0, 1}) {
    for (int i = 0; i < count; ++i) {
      world.mine();
      logs_mined += world.head().block.logs.size();
      mined_at[world.head().block.number] = time.now();
      for (const std::size_t index : who) nodes[index]->see(world.head());
      time.run_for(kBlockTime);
    }
  }
  Duration waited_for(std::uint64_t number) {
    return waited.contains(number) ? waited[number] : Duration::max();
  }
  std::uint64_t head() const { return world.head().block.number; }

  SeededRandom random{7};
  SimulatedTime time;
  simulated::World world{random};
  Edges edges;
  std::vector<FaultyNode*> nodes;
  std::unique_ptr<upstream::Pool> pool;
  std::unique_ptr<ChainFollower> follower;
  std::map<std::uint64_t, Instant> mined_at;
  std::map<std::uint64_t, Duration> waited;
  std::size_t logs = 0;
  std::size_t logs_mined = 0;
  int missing = 0;
  int removed = 0;
  std::vector<std::uint64_t> shorter;  // accepted heads below the last one
  std::vector<std::size_t> useless;    // members whose hints were
  std::vector<std::string> uses;       // changes of it
};

TEST_F(ChainFollowerTest, AFrozenPreferredNodeHoldsBackOneHeadAtMost) {
  const std::uint64_t last_of_a = head();
  mine(10, {1});
  // Detected one and a half block times after the last head, which is half a block time after the missed
  // block.
  EXPECT_LT(waited_for(last_of_a + 1), kBlockTime * 2);
  for (std::uint64_t number = last_of_a + 2; number <= head(); ++number) {
    EXPECT_LT(waited_for(number), kBlockTime / 2) << number;
  }
  EXPECT_EQ(edges.told, std::vector<std::string>{"a stalled"});
}

TEST_F(ChainFollowerTest, AHintIsPolledForAndSaysNothingAboutTheNode) {
  follower->side_hints_changed(0, true);
  world.mine();
  for (FaultyNode* node : nodes) node->see(world.head());
  mined_at[head()] = time.now();
  follower->side_hint(0, world.head().block.json());
  time.run_for(50ms);
  EXPECT_LT(waited_for(head()), 50ms);
  time.run_for(1min);

  const std::string far = R"({"number":"0xffffff","hash":"0x)" + std::string(64, 'a') +
                          R"(","parentHash":"0x)" + std::string(64, 'b') + R"(","timestamp":"0x1"})";
  for (int i = 0; i < 100; ++i) {
    follower->side_hint(0, far);
    time.run_for(100ms);
  }
  const auto members = pool->status();
  EXPECT_EQ(members[0].head, head());
  EXPECT_EQ(members[1].lag, 0U);
  EXPECT_EQ(follower->source().tip()->number, head());
  EXPECT_EQ(pool->available(), 2U);
}

TEST_F(ChainFollowerTest, HintsThatNoNodeConfirmsAreReported) {
  follower->side_hints_changed(1, true);
  for (int i = 0; useless.empty() && i < 20 * 60; ++i) {
    const std::string hash = "0x" + std::string(60, 'a') + std::to_string(1000 + i);
    follower->side_hint(1, R"({"number":"0xffffff","hash":")" + hash + R"(","parentHash":")" + hash +
                               R"(","timestamp":"0x1"})");
    time.run_for(1s);
  }
  EXPECT_EQ(useless, std::vector<std::size_t>{1});
}

TEST_F(ChainFollowerTest, WhetherHintsAreOfUseIsTold) {
  follower->side_hints_changed(1, true);
  mine(10);
  EXPECT_EQ(uses, std::vector<std::string>{});
  world.mine();
  follower->side_hint(1, world.head().block.json());
  for (FaultyNode* node : nodes) node->see(world.head());
  time.run_for(kBlockTime);
  EXPECT_EQ(uses, std::vector<std::string>{"1 is of use"});
  mine(10);
  EXPECT_EQ(uses, (std::vector<std::string>{"1 is of use", "1 is not"}));
  world.mine();
  follower->side_hint(1, world.head().block.json());
  for (FaultyNode* node : nodes) node->see(world.head());
  time.run_for(kBlockTime);
  follower->side_hints_changed(1, false);
  EXPECT_EQ(uses, (std::vector<std::string>{"1 is of use", "1 is not", "1 is of use", "1 is not"}));
}

TEST_F(ChainFollowerTest, GarbageAsAHintIsIgnored) {
  follower->side_hints_changed(0, true);
  const std::uint64_t polls = follower->source().head_status().polls;
  for (const char* text :
       {"", "null", "{}", "\"0x1\"", R"({"number":"0x1"})", R"({"number":-1,"hash":[]})"}) {
    follower->side_hint(0, text);
  }
  EXPECT_EQ(follower->source().head_status().polls, polls);
}

TEST_F(ChainFollowerTest, ANodeThatCatchesUpIsPreferredAgain) {
  mine(3, {1});
  ASSERT_EQ(edges.told, std::vector<std::string>{"a stalled"});
  mine(10);
  EXPECT_EQ(edges.told, (std::vector<std::string>{"a stalled", "a caught up"}));
  const std::uint64_t asked_before = nodes[0]->asked["eth_getBlockByNumber"];
  mine(2);
  EXPECT_GT(nodes[0]->asked["eth_getBlockByNumber"], asked_before);
}

TEST_F(ChainFollowerTest, ANodeThatNeverAnswersHoldsBackOneHeadAtMost) {
  nodes[0]->set_fault(Fault::half_open, 1000);
  const std::uint64_t before = head();
  mine(10);
  EXPECT_LT(waited_for(before + 1), kBlockTime * 2);
  for (std::uint64_t number = before + 2; number <= head(); ++number) {
    EXPECT_LT(waited_for(number), kBlockTime) << number;
  }
}

TEST_F(ChainFollowerTest, NothingIsTakenBackWhenTheOtherNodeHasWhatOneLost) {
  mine(5, {1});  // the heads come from b
  ASSERT_EQ(follower->source().tip()->number, head());
  nodes[0]->see(world.head());
  nodes[1]->see(*simulated::World::at(world.head(), head() - 4));
  time.run_for(5s);
  EXPECT_EQ(removed, 0);
  EXPECT_TRUE(shorter.empty());
  EXPECT_EQ(follower->source().tip()->number, head());
}

TEST_F(ChainFollowerTest, AShorterChainIsBelievedAtOnceWhenNoNodeHasMore) {
  const std::uint64_t back_to = head() - 4;
  world.reorg(4, 0);
  for (FaultyNode* node : nodes) node->see(world.head());
  time.run_for(5s);
  ASSERT_FALSE(shorter.empty());
  EXPECT_EQ(shorter.front(), back_to);
}

TEST_F(ChainFollowerTest, AChainThatIsSlowForEverybodyBlamesNobody) {
  const std::uint64_t calls_before = nodes[1]->calls;
  time.run_for(10min);
  EXPECT_TRUE(edges.told.empty());
  // All nodes' heads are requested less and less often, except for the watch every ten seconds.
  EXPECT_LT(nodes[1]->calls - calls_before, 100U);
}

TEST_F(ChainFollowerTest, EmptyLogsAgainstTheBloomAreAskedForElsewhereAndTheNodeComesLast) {
  const eth::Header& tip = *follower->source().tip();
  follower->set_interest(0,
                         {.logs = true, .logs_after = eth::BlockId{.number = tip.number, .hash = tip.hash}});
  logs_mined = 0;
  nodes[0]->set_fault(Fault::no_logs, 1000);
  mine(20);
  EXPECT_EQ(logs, logs_mined);
  EXPECT_GT(logs, 0U);
  EXPECT_EQ(missing, 0);
  ASSERT_FALSE(edges.told.empty());
  EXPECT_EQ(edges.told.front(), "a disagreed");
  // Distrusted for 10 s, then 20: most of the time it was not called at all.
  EXPECT_LT(nodes[0]->asked["eth_getLogs"], 6U);
}

TEST_F(ChainFollowerTest, TwoOfFiveAnswersBadOnBothNodesHoldHeadsBackForSecondsAndNothingAfterwards) {
  const eth::Header& tip = *follower->source().tip();
  follower->set_interest(0,
                         {.logs = true, .logs_after = eth::BlockId{.number = tip.number, .hash = tip.hash}});
  const std::uint64_t first = head() + 1;
  for (FaultyNode* node : nodes) {
    for (const Fault fault :
         {Fault::refused, Fault::dropped, Fault::too_many, Fault::bad_gateway, Fault::not_json,
          Fault::no_answer, Fault::error_object, Fault::null_result, Fault::no_logs, Fault::half_open}) {
      node->set_fault(fault, 40);
    }
  }
  mine(300);
  for (FaultyNode* node : nodes) node->heal();
  const auto caught_up = [this] {
    return follower->source().tip()->number == head() && follower->source().chain_status().pending == 0;
  };
  EXPECT_TRUE(time.run_until(caught_up, 30s));
  // A call without an answer costs its timeout; delays do not add up beyond that.
  std::vector<Duration> all;
  for (std::uint64_t number = first; number <= head(); ++number) all.push_back(waited_for(number));
  std::ranges::sort(all);
  EXPECT_LT(all[all.size() / 2], 5s);
  EXPECT_LT(all.back(), 60s);
  EXPECT_EQ(missing, 0);
}

// The node answers everything but eth_getLogs and receipts, which hang.
TEST_F(ChainFollowerTest, LogsThatNobodyAnswersHoldNoHeadBack) {
  const eth::Header& tip = *follower->source().tip();
  follower->set_interest(0,
                         {.logs = true, .logs_after = eth::BlockId{.number = tip.number, .hash = tip.hash}});
  const std::uint64_t first = head() + 1;
  for (FaultyNode* node : nodes) node->hangs_on_logs = true;
  mine(20);
  for (std::uint64_t number = first + 1; number < head(); ++number) {
    EXPECT_LT(waited_for(number), 5s) << number;
  }
  EXPECT_GT(missing, 0);
  EXPECT_TRUE(std::ranges::none_of(edges.told, [](const auto& one) { return one.contains("disagreed"); }));
  for (FaultyNode* node : nodes) node->hangs_on_logs = false;
  const int missing_before = missing;
  mine(20);
  EXPECT_TRUE(time.run_until([this] { return follower->source().chain_status().pending == 0; }, 60s));
  EXPECT_LT(missing - missing_before, 20);
}

TEST_F(ChainFollowerTest, ANodeAloneIsNeitherStalledNorDistrusted) {
  SeededRandom its_random{3};
  std::vector<std::unique_ptr<upstream::Backend>> members;
  members.push_back(std::make_unique<FaultyNode>("alone", world, time, its_random));
  upstream::Pool alone(time, std::move(members), {.random = &its_random}, &edges);
  ChainFollower one(time, {.backend = alone, .pool = &alone}, {}, its_random,
                    {.events = [](const std::vector<eth::SourceEvent>&) {}, .turn = {}});
  one.start();
  time.run_for(2min);
  EXPECT_TRUE(edges.told.empty());
}

}  // namespace
}  // namespace fanfare::gateway
