// What clients of sessions are sent after reorgs, case by case; session_history_test.cc covers the same at random.

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "eth/chain_source_world.h"
#include "eth/resume_link.h"

namespace fanfare::eth {
namespace {

constexpr std::string_view kLogsOfAll = R"(["logs",{}])";
constexpr std::string_view kHeads = R"(["newHeads"])";

using Texts = std::vector<std::string>;

struct ReorgLink final : ResumeLink {
  explicit ReorgLink(ResumeRecord& session) : ResumeLink(session, session.take()) {}
  void on_noted() override {}
  void confirm() {
    record().ping(owner());
    record().pong(owner());
  }
  void confirm_all() { record().confirm_all(owner()); }
};

// It reads so many results, and then no more, or refuses them.
struct ReorgReader final : pubsub::Subscriber {
  bool deliver(const SharedBytes& frame) override {
    if (refuses && got.size() >= room) return false;
    const auto params = jsonrpc::member(as_text(frame.view()), "params").value_or("");
    got.emplace_back(jsonrpc::member(params, "result").value_or(""));
    return true;
  }
  bool is_congested() const override { return !refuses && got.size() >= room; }

  std::size_t room = std::numeric_limits<std::size_t>::max();
  bool refuses = false;
  Texts got;
};

ChainSourceOptions options_of(std::uint32_t batch_blocks) {
  ChainSourceOptions options;
  options.history.batch_blocks_max = batch_blocks;
  options.history.live_blocks_max = 1;
  return options;
}

// One log in each block.
struct ReorgSession : ChainSourceWorld {
  explicit ReorgSession(std::string_view wanted = kLogsOfAll, std::uint32_t batch_blocks = 32)
      : ChainSourceWorld(options_of(batch_blocks), 5), params(wanted) {
    node.fill_block = [](SimulatedBlock& block) {
      block.logs = {R"({"address":")" + simulated_address(1) +
                    R"(","topics":[],"data":"0x","blockNumber":")" + to_quantity(block.number) +
                    R"(","transactionHash":"0x1","transactionIndex":"0x0","blockHash":")" +
                    to_hex(block.hash) + R"(","logIndex":"0x0"})"};
      block.bloom = "0x" + std::string(512, 'f');
    };
    start();
    connect();
  }
  ~ReorgSession() { drop(key); }

  // The connection ends, and the next one continues; it has room for so many results.
  void connect(std::size_t room = std::numeric_limits<std::size_t>::max()) {
    disconnect();
    link = std::make_unique<ReorgLink>(record);
    reader = {};
    reader.room = room;
    const std::string id = manager.subscribe(++key, reader, params, IdScope::shared, link.get()).value();
    source.set_interest(0, manager.interest(), now);
    if (const auto missing = manager.activate(key, id)) ask_history(*missing);
    until_still();
  }
  void disconnect() { drop(key); }
  void reads_on() {
    reader.room = std::numeric_limits<std::size_t>::max();
    drained(key);
    until_still();
  }
  void until_still() {
    settle();
    for (int i = 0; i < 200 && !resuming.empty(); ++i) tick();
  }
  void mine(std::uint64_t blocks) {
    node.mine(blocks);
    catch_up();
  }
  void reorg(std::uint64_t depth, std::uint64_t length) {
    node.reorg(depth, length);
    catch_up();
  }
  // "5" of an added log or a head, "-5" of a removed log.
  static Texts blocks_of(const Texts& results) {
    Texts blocks;
    for (const std::string& result : results) {
      const auto raw =
          jsonrpc::member(result, "blockNumber").value_or(jsonrpc::member(result, "number").value_or(""));
      const bool removed = result.ends_with("\"removed\":true}");
      blocks.push_back((removed ? "-" : "") +
                       std::to_string(parse_quantity(jsonrpc::string_copy(raw).value()).value()));
    }
    return blocks;
  }
  Texts got() const { return blocks_of(reader.got); }

  const std::string params;
  ResumeRecord record{ResumeRecordLimits{}};
  std::unique_ptr<ReorgLink> link;
  ReorgReader reader;
  ConnectionKey key = 0;
};

// What a client holds after all of these, sorted.
Texts held_after(const std::vector<Texts>& connections) {
  Texts held;
  for (const Texts& results : connections) {
    for (std::string log : results) {
      const bool is_removed = log.ends_with("\"removed\":true}");
      log = log.substr(0, log.rfind(",\"removed\""));
      std::erase(held, log);
      if (!is_removed) held.push_back(std::move(log));
    }
  }
  std::ranges::sort(held);
  return held;
}

// A branch that the client may have is retracted where it is not part of the chain any more. The rest of it stays in question until
// it is sent again: it can be removed, too.
TEST(SessionReorgs, TheRestOfABranchIsRetractedWhenItIsRemovedLater) {
  ReorgSession world(kLogsOfAll, 1);
  world.mine(2);
  world.link->confirm();
  world.mine(8);
  const Texts first = world.reader.got;  // and no pong came back
  world.disconnect();
  world.reorg(2, 3);
  world.connect(3);
  EXPECT_EQ(world.got(), (Texts{"-10", "-9", "3"}));
  world.reorg(7, 8);  // below 8, which is not sent again yet
  world.reads_on();
  Texts expected = expected_logs(world.node, 0, parse_log_filter("{}").value());
  std::ranges::sort(expected);
  EXPECT_EQ(held_after({first, world.reader.got}), expected);
}

// The client has confirmed block 6 and may have 7 and 8; then 6 was replaced, and then 5.
const Texts kAfterTwoBranches = {"-8", "-7", "-6", "-6", "-5", "5", "6", "7"};
ReorgSession& on_two_branches(ReorgSession& world) {
  world.mine(6);
  world.link->confirm();
  world.mine(2);
  world.reorg(3, 1);
  world.disconnect();
  world.reorg(2, 3);
  return world;
}

TEST(SessionReorgs, EachBlockIsRetractedOnceTheHighestFirst) {
  ReorgSession world(kLogsOfAll, 1);
  on_two_branches(world).connect();
  EXPECT_EQ(world.got(), kAfterTwoBranches);
  EXPECT_NE(world.reader.got[2], world.reader.got[3]);
}

// However far it came.
TEST(SessionReorgs, WhatWasRetractedAndConfirmedIsNotRetractedAgain) {
  for (std::size_t room = 1; room <= 6; ++room) {
    ReorgSession world(kLogsOfAll, 1);
    on_two_branches(world).connect(room);
    Texts all = world.reader.got;
    EXPECT_EQ(all.size(), room);
    world.link->confirm();
    world.connect();
    all.insert(all.end(), world.reader.got.begin(), world.reader.got.end());
    EXPECT_EQ(ReorgSession::blocks_of(all), kAfterTwoBranches) << room;
    world.link->confirm();
    world.connect();
    EXPECT_TRUE(world.got().empty()) << room;
  }
}

// Nothing of it may have arrived.
TEST(SessionReorgs, WhatWasRetractedAndNotConfirmedIsRetractedAgain) {
  for (std::size_t room = 1; room <= 5; ++room) {
    ReorgSession world(kLogsOfAll, 1);
    on_two_branches(world).connect(room);
    world.connect();
    EXPECT_EQ(world.got(), kAfterTwoBranches) << room;
  }
}

// The closing handshake confirms what was sent, not what the connection had no room for.
TEST(SessionReorgs, ARetractionThatWasNotSentIsNotConfirmed) {
  for (std::size_t room = 0; room <= 5; ++room) {
    ReorgSession world(kLogsOfAll, 1);
    on_two_branches(world).connect(0);
    world.reader.room = room;
    world.reader.refuses = true;
    world.drained(world.key);
    Texts all = world.reader.got;
    EXPECT_EQ(all.size(), room);
    world.link->confirm_all();
    world.connect();
    all.insert(all.end(), world.reader.got.begin(), world.reader.got.end());
    EXPECT_EQ(ReorgSession::blocks_of(all), kAfterTwoBranches) << room;
  }
}

// The chain goes back to the branch that the client had confirmed. It may have heads of the other one, and heads are not retracted.
TEST(SessionReorgs, HeadsFollowFromTheLowestForkOfAllThatTheClientMayHave) {
  for (const bool returns_before : {false, true}) {
    ReorgSession world(kHeads);
    world.mine(4);
    world.link->confirm();
    std::vector<SimulatedBlock> branch = world.node.chain();
    world.reorg(2, 1);
    EXPECT_EQ(world.got(), (Texts{"1", "2", "3", "4", "3"}));
    if (!returns_before) world.disconnect();
    world.node.return_to(branch);
    world.mine(1);
    world.connect();
    EXPECT_EQ(world.got(), (Texts{"3", "4", "5"})) << returns_before;
    world.link->confirm();
    world.connect();
    EXPECT_TRUE(world.got().empty());
  }
}

// What the first of the next heads replaces is not in question any more, once that is confirmed.
TEST(SessionReorgs, HeadsThatWereReplacedAndConfirmedAreForgotten) {
  ReorgSession world(kHeads);
  world.mine(4);
  world.link->confirm();
  world.reorg(3, 2);
  world.disconnect();
  world.reorg(1, 3);
  world.connect(2);
  EXPECT_EQ(world.got(), (Texts{"2", "3"}));
  world.link->confirm();
  world.connect();
  EXPECT_EQ(world.got(), (Texts{"4", "5"}));
}

}  // namespace
}  // namespace fanfare::eth
