// Hooks give the events that polling gives: the same chain, followed once by hooks and once by polling.

#include "gateway/chain_hooks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/chain_follower.h"
#include "gateway/faulty_node_for_tests.h"
#include "upstream/time_for_tests.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;
using simulated::FaultyNode;
using simulated::WorldBlock;
using upstream::testing::SimulatedTime;

std::string text_of(const eth::SourceEvent& event) {
  const auto logs = [](const eth::BlockLogsPtr& of) {
    return of ? std::to_string(of->entries.size()) : "no";
  };
  if (const auto* added = std::get_if<eth::BlockAdded>(&event)) {
    return "+" + added->header->json + " " + logs(added->logs);
  }
  if (const auto* removed = std::get_if<eth::BlockRemoved>(&event)) {
    return "-" + eth::to_hex(removed->header->hash) + " " + logs(removed->logs);
  }
  if (const auto* pending = std::get_if<eth::PendingHash>(&event)) return "pending " + pending->hash;
  if (const auto* own = std::get_if<eth::FeedEvent>(&event)) {
    return "syncing " + std::any_cast<const eth::SyncingChanged&>(own->body).result_json;
  }
  if (std::holds_alternative<eth::LogsMissing>(event)) return "logs missing";
  return "";
}

// A source with its follower, and the events it reported.
struct Followed {
  Followed(SimulatedTime& time, upstream::Backend& backend, Random& random)
      : follower(time, {.backend = backend}, {}, random,
                 {.events =
                      [this](const std::vector<eth::SourceEvent>& some) {
                        for (const eth::SourceEvent& event : some) {
                          if (const auto* late = std::get_if<eth::BlockLogsLate>(&event)) take_late(*late);
                          if (auto text = text_of(event); !text.empty()) told.push_back(std::move(text));
                        }
                      },
                  .turn = {}}) {
    follower.start();
    eth::Interest interest{.logs = true, .pending = eth::PendingWanted::hashes};
    interest.sources.set(static_cast<std::size_t>(eth::SubscriptionType::syncing));
    follower.set_interest(0, interest);
  }
  // A block's logs are compared with the block, whenever they come.
  void take_late(const eth::BlockLogsLate& late) {
    const eth::BlockAdded without{.header = late.header, .logs = nullptr};
    const auto block = std::ranges::find(told, text_of(without));
    ASSERT_NE(block, told.end()) << "logs before their head";
    *block = text_of(eth::BlockAdded{.header = late.header, .logs = late.logs});
  }
  std::vector<std::string> told;
  ChainFollower follower;
};

struct ChainHooksTest : ::testing::Test {
  ChainHooksTest() {
    for (const std::string method : {"eth_getBlockByNumber", "eth_getBlockByHash", "eth_getLogs"})
      asked[method] = 0;
    hooks.attach(time, {.head = [this](std::string_view header) { hooked->follower.hint(0, header); },
                        .pending = [this](std::string_view hash) { hooked->follower.saw_pending(hash); }});
    hooked = std::make_unique<Followed>(time, *source, random);
    hooked->follower.set_pending_pushed(true);
    polled = std::make_unique<Followed>(time, other, random);
    time.run_for(5s);
    for (Followed* both : {hooked.get(), polled.get()}) {
      EXPECT_EQ(both->told, std::vector<std::string>{"syncing false"});  // the current state
      both->told.clear();
    }
  }
  // The chain's own methods: the simulation's node, called directly.
  std::expected<std::string, LocalError> method(std::string_view name, std::string_view params) {
    ++asked[std::string(name)];
    std::string body;
    jsonrpc::append_request(body, "1", name, params);
    std::optional<std::string> result;
    node.latency_max = 0ns;
    node.call(body, {}, [&](const upstream::Result& answer) {
      const auto parts = jsonrpc::split_response(answer->body);
      if (parts->error.empty()) result = std::string(parts->result);
    });
    inner.run_for(1ms);
    if (!result) return std::unexpected(LocalError{.code = -32601, .message = "unknown"});
    return *result;
  }
  static std::string logs_of(const WorldBlock& block) {
    std::string all = "[";
    for (const std::string& log : block.block.logs) all += (all.size() > 1 ? "," : "") + log;
    return all + "]";
  }
  void tell(const WorldBlock& block) {
    hooks.new_block(block.block.json());
    if (tells_logs && !block.block.logs.empty()) hooks.logs(logs_of(block));
  }
  // Calls the hooks for the branch that ends at the head, from above `number`.
  void tell_from(std::uint64_t number) {
    std::vector<const WorldBlock*> branch;
    for (const WorldBlock* block = &world.head(); block->block.number > number; block = block->parent) {
      branch.insert(branch.begin(), block);
    }
    node.see(world.head());
    other.see(world.head());
    for (const WorldBlock* block : branch) tell(*block);
    time.run_for(5s);
  }

  SeededRandom random{11};
  SimulatedTime time;
  SimulatedTime inner;  // of the chain's methods, which answer at once
  simulated::World world{random};
  FaultyNode node{"chain", world, inner, random};
  std::map<std::string, int> asked;
  bool tells_logs = true;
  ChainHooks hooks{[this](std::string_view name, std::string_view params) { return method(name, params); },
                   256};
  std::unique_ptr<upstream::Backend> source = hooks.for_source(time);
  FaultyNode other{"polled", world, time, random};
  std::unique_ptr<Followed> hooked;
  std::unique_ptr<Followed> polled;
};

TEST_F(ChainHooksTest, TheEventsAreThoseOfPolling) {
  for (int i = 0; i < 5; ++i) {
    world.mine();
    tell_from(world.head().block.number - 1);
  }
  world.reorg(3, 5);
  tell_from(2);
  world.reorg(1, 1);
  tell_from(world.head().block.number - 1);
  EXPECT_EQ(hooked->told, polled->told);
  EXPECT_EQ(hooked->told.size(), 15U);
  // The hooks reported everything: only earlier data had to be requested.
  EXPECT_EQ(asked["eth_getLogs"], 0);
  EXPECT_EQ(asked["eth_getBlockByHash"], 0);
}

TEST_F(ChainHooksTest, WhatWasSkippedIsAskedFor) {
  for (int i = 0; i < 6; ++i) world.mine();
  tell_from(world.head().block.number - 1);
  EXPECT_EQ(hooked->told, polled->told);
  EXPECT_EQ(hooked->told.size(), 6U);
}

TEST_F(ChainHooksTest, LogsThatStayOutAreAskedFor) {
  tells_logs = false;
  for (int i = 0; i < 4; ++i) {
    world.mine();
    tell_from(world.head().block.number - 1);
  }
  EXPECT_EQ(hooked->told, polled->told);
  EXPECT_GT(asked["eth_getLogs"], 0);
}

TEST_F(ChainHooksTest, LogsMayComeBeforeTheirBlock) {
  do {
    world.mine();
  } while (world.head().block.logs.empty());
  node.see(world.head());
  other.see(world.head());
  hooks.logs(logs_of(world.head()));
  tells_logs = false;
  tell_from(0);
  EXPECT_EQ(hooked->told, polled->told);
}

TEST_F(ChainHooksTest, PendingTransactionsAreToldOnce) {
  const std::string hash = "0x" + std::string(64, 'b');
  hooks.pending(hash);
  hooks.pending(hash);
  hooks.pending("0x12");
  time.run_for(1s);
  EXPECT_EQ(hooked->told, std::vector<std::string>{"pending " + hash});
}

TEST_F(ChainHooksTest, TheSyncStatusIsToldWhenItChanges) {
  const std::string status = R"({"currentBlock":"0x1","highestBlock":"0x9"})";
  hooks.sync_status(status);
  time.run_for(3s);
  hooks.sync_status("false");
  time.run_for(3s);
  EXPECT_EQ(hooked->told, (std::vector<std::string>{R"(syncing {"syncing":true,"status":)" + status + "}",
                                                    "syncing false"}));
}

TEST_F(ChainHooksTest, NonsenseHarmsNobody) {
  hooks.new_block("{}");
  hooks.new_block("no JSON");
  hooks.logs("7");
  hooks.logs(R"([{"address":"0x1"}])");
  world.mine();
  tell_from(0);
  EXPECT_EQ(hooked->told, polled->told);
}

// Whatever a program passes to a hook, however often, the log gets a few truncated lines a minute, and a
// count.
TEST_F(ChainHooksTest, UnreadableValuesAreLoggedWithALimitAndCounted) {
  const std::string garbage(100'000, 'x');
  const std::vector<std::function<void()>> calls{[&] { hooks.new_block(garbage); },
                                                 [&] { hooks.logs(garbage); },
                                                 [&] { hooks.logs("[" + std::string("{},{}") + "]"); },
                                                 [&] { hooks.pending(garbage); },
                                                 [&] { hooks.sync_status(garbage); },
                                                 [&] { hooks.sync_status("{\"open\":"); }};
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) {
    for (const auto& call : calls) call();
  }
  time.run_for(1s);
  hooks.detach();
  const std::string log = ::testing::internal::GetCapturedStderr();
  // Four kinds of ten lines each, and one line for each with the number suppressed.
  EXPECT_EQ(std::ranges::count(log, '\n'), 4 * 11) << log.substr(0, 4000);
  EXPECT_LT(log.size(), 44U * 400U);
  EXPECT_NE(log.find("hook_block_unreadable suppressed=990\n"), std::string::npos) << log;
  EXPECT_NE(log.find("hook_log_unreadable suppressed=2990\n"), std::string::npos) << log;
  EXPECT_NE(log.find("... (100000 bytes)"), std::string::npos) << log;
  EXPECT_EQ(hooks.unreadable(), 7000U);
  EXPECT_TRUE(hooked->told.empty());
}

TEST_F(ChainHooksTest, SpaceAroundAValueMeansNothing_RFC8259_2) {
  hooks.sync_status("\n {\"currentBlock\":\"0x1\"}\r\n");
  hooks.logs(" \t[ ]\n");
  hooks.pending(" 0x" + std::string(64, 'b') + "\n");
  time.run_for(3s);
  EXPECT_EQ(hooks.unreadable(), 1U);  // a hash is not valid JSON here
  EXPECT_EQ(hooked->told,
            std::vector<std::string>{R"(syncing {"syncing":true,"status":{"currentBlock":"0x1"}})"});
}

TEST_F(ChainHooksTest, AfterDetachNothingIsTold) {
  hooks.detach();
  world.mine();
  hooks.new_block(world.head().block.json());
  time.run_for(1s);
  EXPECT_TRUE(hooked->told.empty());
}

}  // namespace
}  // namespace fanfare::gateway
