// Finalized heads of a simulated node, through the chain source and a loop's subscriptions.

#include "eth/feeds/new_finalized_heads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "eth/chain_source_world.h"

namespace fanfare::eth {
namespace {

constexpr auto kType = SubscriptionType::new_finalized_heads;
using Numbers = std::vector<std::uint64_t>;

bool asks_finalized(const jsonrpc::UpstreamCall& call) {
  return call.params_json.starts_with(R"(["finalized")");
}
bool asks_latest(const jsonrpc::UpstreamCall& call) {
  return call.params_json.starts_with(R"(["latest")");
}

Numbers numbers_of(const RecordingSubscriber& subscriber) {
  Numbers numbers;
  for (const std::string& head : subscriber.results) numbers.push_back(parse_header(head).value().number);
  return numbers;
}
Numbers range(std::uint64_t first, std::uint64_t last) {
  Numbers numbers;
  for (std::uint64_t number = first; number <= last; ++number) numbers.push_back(number);
  return numbers;
}

// A node with blocks 0 to 10, of which 0 to 7 are finalized.
struct FinalizedWorld : ChainSourceWorld {
  explicit FinalizedWorld(SimulatedNode* shared = nullptr) : ChainSourceWorld({}, 1, shared) {
    if (shared == nullptr) {
      node.finalized_behind = 3;
      node.mine(10);
    }
    held = [this](const jsonrpc::UpstreamCall& call) {
      if (asks_finalized(call)) polls.push_back(call.attempt);
      if (asks_finalized(call) && rejects) reject(call.id, -39001);
      return (asks_finalized(call) && (rejects || silent)) || (asks_latest(call) && head_is_held);
    };
    start();
  }
  // As the gateway does: the subscription is live once its source listens. Returns the refusal.
  std::string join(ConnectionKey key, RecordingSubscriber& subscriber, const std::string& option = "") {
    const std::string options = option.empty() ? "" : R"(,{"cursor":)" + option + "}";
    const std::string id =
        manager.subscribe(key, subscriber, R"(["newFinalizedHeads")" + options + "]").value();
    source.set_interest(0, manager.interest(), now);
    const std::uint64_t listener = source.await_listening(kType, now);
    settle();
    for (int i = 0; i < 200; ++i, tick()) {
      for (const Listening& one : source.take_listening()) {
        if (one.listener != listener) continue;
        if (!one.refusal.empty()) {
          manager.withdraw(key, id);
          source.set_interest(0, manager.interest(), now);
          return one.refusal;
        }
        if (const auto missing = manager.activate(key, id)) ask_history(*missing);
        settle();
        return "";
      }
    }
    return "never answered";
  }
  void run(int ticks = 40) {
    for (int i = 0; i < ticks; ++i) tick();
  }
  void mine(std::uint64_t count) {
    node.mine(count);
    run();
  }
  std::vector<std::uint32_t> polls;  // their attempts
  bool rejects = false;
  bool silent = false;
  bool head_is_held = false;
};

TEST(NewFinalizedHeads, ComeInOrderAndNoneIsLeftOut) {
  FinalizedWorld world;
  RecordingSubscriber heads;
  ASSERT_EQ(world.join(1, heads), "");
  EXPECT_TRUE(heads.results.empty());  // what was final before is not new
  world.mine(1);
  EXPECT_EQ(numbers_of(heads), range(8, 8));
  world.node.finalized_behind = 40;
  world.mine(37);
  EXPECT_EQ(numbers_of(heads), range(8, 8));
  world.node.finalized_behind = 2;  // many at once
  world.mine(1);
  EXPECT_EQ(numbers_of(heads), range(8, world.node.head().number - 2));
  for (std::size_t i = 0; i < heads.results.size(); ++i) {
    EXPECT_EQ(parse_header(heads.results[i]).value().hash, world.node.at(8 + i).hash);
  }
}

TEST(NewFinalizedHeads, WithoutSubscribersTheNodeIsNotAsked) {
  FinalizedWorld world;
  world.mine(5);
  EXPECT_TRUE(world.polls.empty());
  RecordingSubscriber heads;
  ASSERT_EQ(world.join(1, heads), "");
  EXPECT_FALSE(world.polls.empty());
  world.drop(1);
  world.polls.clear();
  world.mine(5);
  EXPECT_TRUE(world.polls.empty());
}

TEST(NewFinalizedHeads, AnotherLoopsSubscribersAndLaterOnesCostNothing) {
  FinalizedWorld world;
  RecordingSubscriber first;
  RecordingSubscriber second;
  ASSERT_EQ(world.join(1, first), "");
  world.silent = true;
  EXPECT_EQ(world.join(2, second), "");  // answered although the node is not
  world.silent = false;
  world.mine(2);
  EXPECT_EQ(numbers_of(first), range(8, 9));
  EXPECT_EQ(numbers_of(second), range(8, 9));
}

TEST(NewFinalizedHeads, ANodeWithoutThemIsAnErrorAndNotSilence) {
  for (const bool rejects : {true, false}) {
    FinalizedWorld world;
    world.rejects = rejects;
    if (!rejects) world.node.finalized_behind.reset();
    RecordingSubscriber heads;
    const Instant before = world.now;
    EXPECT_EQ(world.join(1, heads), rejects ? "rejected" : "the node has no finalized block");
    EXPECT_LT(world.now - before, std::chrono::seconds(5));
    EXPECT_EQ(world.polls,
              (std::vector<std::uint32_t>{0, 1, 2, 3}));  // each of another node, if there is one
    // One that has them after all.
    world.rejects = false;
    world.node.finalized_behind = 3;
    EXPECT_EQ(world.join(1, heads), "");
  }
}

TEST(NewFinalizedHeads, ANodeThatDoesNotAnswerIsAnErrorInTime) {
  FinalizedWorld world;
  world.silent = true;
  RecordingSubscriber heads;
  const Instant before = world.now;
  EXPECT_EQ(world.join(1, heads), "no answer in time");
  EXPECT_EQ(world.now - before, std::chrono::seconds(15));
}

TEST(NewFinalizedHeads, ANodeThatIsBehindSaysNothing) {
  FinalizedWorld world;
  RecordingSubscriber heads;
  ASSERT_EQ(world.join(1, heads, "true"), "");
  world.mine(4);
  EXPECT_EQ(numbers_of(heads), range(8, 11));
  world.node.finalized_behind = 14;  // 0
  world.run();
  world.node.finalized_behind = 9;
  world.mine(1);
  world.node.finalized_behind = 3;
  world.mine(1);
  EXPECT_EQ(numbers_of(heads), range(8, 13));
  EXPECT_EQ(heads.notices.size(), 1U);  // that it is live
}

TEST(NewFinalizedHeads, NoneComesBeforeItIsAnnouncedAsAHead) {
  FinalizedWorld world;
  RecordingSubscriber heads;
  ASSERT_EQ(world.join(1, heads), "");
  world.node.finalized_behind = 0;
  world.head_is_held = true;
  world.mine(3);
  for (const std::uint64_t number : numbers_of(heads)) EXPECT_LE(number, 10U);
  world.head_is_held = false;
  world.run(200);
  EXPECT_EQ(numbers_of(heads), range(8, 13));
}

TEST(NewFinalizedHeads, ABlockOfAnotherBranchThanTheAnnouncedOneIsAskedAgainOfAnotherNode) {
  FinalizedWorld world;
  RecordingSubscriber heads;
  ASSERT_EQ(world.join(1, heads, "true"), "");
  SimulatedNode other(world.random);
  other.copy_chain(world.node);
  other.reorg(5, 8);  // 6 to 13 are others
  world.mine(4);
  world.polls.clear();
  const auto before = world.held;
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    if (!asks_finalized(call) || call.attempt > 0) return before(call);
    world.polls.push_back(call.attempt);
    world.reply(call.id, other.at(13).json());
    return true;
  };
  world.mine(2);
  EXPECT_EQ(numbers_of(heads), range(8, 13));
  EXPECT_NE(std::ranges::find(world.polls, 1U), world.polls.end());
  EXPECT_EQ(parse_header(heads.results.back()).value().hash, world.node.at(13).hash);
}

// The blocks up to the finalized one come late, and before the last of them a reorg has removed it.
TEST(NewFinalizedHeads, OneThatAReorgRemovesWhileBlocksAreFetchedIsNotSent) {
  FinalizedWorld world;
  RecordingSubscriber with;
  RecordingSubscriber without;
  ASSERT_EQ(world.join(1, with, "true"), "");
  ASSERT_EQ(world.join(2, without), "");
  world.closed.clear();
  const auto before = world.held;
  std::map<std::uint64_t, std::string> late;
  world.held = [&](const jsonrpc::UpstreamCall& call) {
    const std::string json = world.node.answer(call);
    const auto block = parse_header(json);
    const bool is_poll = asks_finalized(call) || asks_latest(call);
    if (is_poll || !block || block->number < 8 || block->number > 10) return before(call);
    late.emplace(call.id, json);
    return true;
  };
  world.mine(4);  // 11 is final, and 8 to 10 are missing
  ASSERT_EQ(late.size(), 3U);
  world.held = before;
  world.node.finalized_behind = 9;
  world.node.reorg(5, 8);  // 10 to 17 are others, and 8 is final
  world.run(2);
  for (const auto& [id, json] : late) world.reply(id, json);
  world.run();
  EXPECT_EQ(numbers_of(with), range(8, 8));
  world.node.finalized_behind = 3;
  world.mine(1);
  EXPECT_EQ(numbers_of(with), range(8, 15));
  EXPECT_EQ(numbers_of(without), range(8, 15));
  for (std::size_t i = 0; i < with.results.size(); ++i) {
    EXPECT_EQ(parse_header(with.results[i]).value().hash, world.node.at(8 + i).hash);
  }
  EXPECT_EQ(with.notices.size(), 1U);  // that it is live
  EXPECT_TRUE(world.closed.empty());
}

// A node names a high block (27), and one below it (20) is not to be had: 8 to 19 are there, and not final yet.
struct OutOfReachWorld : FinalizedWorld {
  OutOfReachWorld() {
    before = held;
    held = [this](const jsonrpc::UpstreamCall& call) {
      const auto block = parse_header(node.answer(call));
      const bool is_poll = asks_finalized(call) || asks_latest(call);
      is_named = is_named || (asks_finalized(call) && block->number == 27);
      if (is_poll || !is_named || !block || block->number != 20) return before(call);
      reply(call.id, "null");
      return true;
    };
    EXPECT_EQ(join(1, heads, "true"), "");
    mine(20);
    EXPECT_TRUE(is_named);
    EXPECT_TRUE(heads.results.empty());
  }
  // All heads so far are 8 to `last` of the node's chain, without a notice but the first.
  void expect_up_to(std::uint64_t last) {
    EXPECT_EQ(numbers_of(heads), range(8, last));
    for (std::size_t i = 0; i < heads.results.size(); ++i) {
      EXPECT_EQ(parse_header(heads.results[i]).value().hash, node.at(8 + i).hash);
    }
    EXPECT_EQ(heads.notices, std::vector<std::string>{R"({"type":"live","block":"0x7"})"});
  }
  RecordingSubscriber heads;
  bool is_named = false;
  std::function<bool(const jsonrpc::UpstreamCall&)> before;
};

TEST(NewFinalizedHeads, BlocksFetchedForOneThatIsOutOfReachAreSentOnceALowerOneIsFinal) {
  OutOfReachWorld world;
  world.node.finalized_behind = 15;
  world.run();
  world.expect_up_to(15);
  world.mine(2);
  world.expect_up_to(17);
  world.held = world.before;
  world.node.finalized_behind = 3;
  world.mine(1);
  world.expect_up_to(30);
}

TEST(NewFinalizedHeads, BlocksFetchedForOneThatIsOutOfReachDoNotHideThoseOfAnotherBranch) {
  OutOfReachWorld world;
  world.held = world.before;
  world.node.finalized_behind = 20;
  world.node.reorg(19, 25);  // 12 to 36 are others, and 16 is final
  world.run();
  world.expect_up_to(16);
  world.node.finalized_behind = 3;
  world.mine(1);
  world.expect_up_to(34);
}

TEST(NewFinalizedHeads, ACursorResumesOnAnotherInstance) {
  FinalizedWorld world;
  RecordingSubscriber heads;
  ASSERT_EQ(world.join(1, heads, "true"), "");
  EXPECT_EQ(heads.notices, std::vector<std::string>{R"({"type":"live","block":"0x7"})"});
  world.mine(3);
  ASSERT_EQ(numbers_of(heads), range(8, 10));
  world.drop(1);
  world.node.mine(20);
  FinalizedWorld other(&world.node);
  ASSERT_EQ(other.join(1, heads, '"' + heads.cursor + '"'), "");
  other.run();
  EXPECT_EQ(numbers_of(heads), range(8, 30));
  EXPECT_EQ(heads.notices.back(), R"({"type":"live","block":"0x1e"})");
  other.mine(2);
  EXPECT_EQ(numbers_of(heads), range(8, 32));
}

TEST(NewFinalizedHeads, ACursorThatIsAheadWaitsUntilItsBlockIsFinal) {
  FinalizedWorld world;
  RecordingSubscriber latest;
  world.subscribe(2, latest, R"(["newHeads",{"cursor":true}])");
  world.mine(30);  // the cursor is 40, 37 is final
  RecordingSubscriber heads;
  world.node.finalized_behind = 20;
  FinalizedWorld other(&world.node);
  ASSERT_EQ(other.join(1, heads, '"' + latest.cursor + '"'), "");
  for (int i = 0; i < 10; ++i) {
    other.now += std::chrono::seconds(20);  // longer than any position waits at once
    other.run(10);
  }
  EXPECT_TRUE(heads.results.empty());
  other.mine(25);  // 45 is final
  EXPECT_EQ(numbers_of(heads), range(41, 45));
}

TEST(NewFinalizedHeads, AReversalBelowWhatWasFinalIsReported) {
  FinalizedWorld world;
  RecordingSubscriber with;
  RecordingSubscriber without;
  ASSERT_EQ(world.join(1, with, "true"), "");
  ASSERT_EQ(world.join(2, without), "");
  world.mine(4);
  EXPECT_EQ(numbers_of(with), range(8, 11));
  world.closed.clear();
  world.node.reorg(6, 12);  // 9 to 14 are replaced
  world.run();
  EXPECT_NE(std::ranges::find(with.notices, R"({"type":"reorged","fromBlock":"0x9","toBlock":"0xb"})"),
            with.notices.end());
  const Numbers all = numbers_of(with);
  EXPECT_EQ(Numbers(all.begin() + 4, all.end()), range(9, 17));
  ASSERT_FALSE(world.closed.empty());
  EXPECT_EQ(world.closed.front().connections, std::vector<ConnectionKey>{2});
  EXPECT_EQ(world.closed.front().why, "finalized blocks 9 to 11 were replaced");
}

// The heads began on a branch that lost: the reorg to the chain of the finalized blocks takes none of them back.
TEST(NewFinalizedHeads, AHeadThatComesOverToTheFinalizedChainReversesNothing) {
  SeededRandom random(5);
  SimulatedNode node(random);
  node.finalized_behind = 3;
  node.mine(10);
  FinalizedWorld world(&node);
  RecordingSubscriber heads;
  node.reorg(3, 8);  // 8 to 15; the heads stay at the old 10
  world.head_is_held = true;
  node.finalized_behind = 6;
  ASSERT_EQ(world.join(1, heads, "true"), "");
  EXPECT_EQ(heads.notices, std::vector<std::string>{R"({"type":"live","block":"0x9"})"});
  world.closed.clear();
  world.head_is_held = false;
  node.mine(2);
  world.run(200);
  EXPECT_EQ(numbers_of(heads), range(10, 11));
  EXPECT_EQ(heads.notices.size(), 1U);
}

TEST(NewFinalizedHeads, LiveSubscriptionsEndWhenTheNodesHaveNoneAnyMore) {
  FinalizedWorld world;
  RecordingSubscriber with;
  RecordingSubscriber without;
  ASSERT_EQ(world.join(1, with, "true"), "");
  ASSERT_EQ(world.join(2, without), "");
  world.closed.clear();
  world.rejects = true;
  const Instant before = world.now;
  while (world.now - before < std::chrono::seconds(29)) world.tick();
  EXPECT_EQ(with.notices.size(), 1U);
  while (world.now - before < std::chrono::seconds(70)) world.tick();
  ASSERT_EQ(with.notices.size(), 2U);
  EXPECT_EQ(with.notices.back(), R"({"type":"ended","reason":"missed","message":)"
                                 R"("the upstream does not report finalized blocks any more"})");
  ASSERT_EQ(world.closed.size(), 1U);
  EXPECT_EQ(world.closed.front().connections, std::vector<ConnectionKey>{2});
}

// Faulty answers in any order, reorgs above what is final, subscribers with and without cursors, and instances
// that die: each subscriber has the final chain, block by block.
class NewFinalizedHeadsRandom : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(NewFinalizedHeadsRandom, EachSubscriberHasTheChainBlockByBlock) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  SeededRandom random(GetParam());
  ChainSourceWorld keeper({}, GetParam());
  SimulatedNode& node = keeper.node;
  node.finalized_behind = 6;
  node.mine(8);
  ChainSourceOptions options;
  options.heads.stuck_rounds_max = 100'000;
  options.history.attempts_max = 100'000;
  RecordingSubscriber client;
  std::uint64_t final_number = 2;
  for (int life = 0; life < 3; ++life) {
    ChainSourceWorld world(options, random.next_u64(), &node);
    world.source.start(world.now);
    std::vector<jsonrpc::UpstreamCall> pending;
    const auto step = [&](bool faults) {
      // A leap while calls are outstanding is a time-out.
      if (pending.empty() || (faults && random.below(24) == 0)) {
        world.now = std::max(world.now, world.source.next_timer().value());
        world.source.on_timer(world.now);
      } else {
        const std::size_t which = random.below(pending.size());
        const jsonrpc::UpstreamCall call = pending[which];
        pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(which));
        const std::uint64_t fault = faults ? random.below(12) : 12;
        if (fault == 0) world.source.on_reply(call.id, std::unexpected(jsonrpc::CallFailure{}), world.now);
        if (fault == 1) world.reply(call.id, "null");
        // Another block: for the tag, one that is final, too.
        const std::uint64_t most = asks_finalized(call) ? final_number : node.head().number;
        if (fault == 2) world.reply(call.id, node.at(random.below(most + 1)).json());
        if (fault > 3) world.reply(call.id, node.answer(call));  // 3: never answered
      }
      world.publish();
      for (jsonrpc::UpstreamCall& call : world.source.take_calls()) pending.push_back(std::move(call));
    };
    while (world.source.tip() == nullptr) step(false);
    const std::string option = client.cursor.empty() ? "true" : '"' + client.cursor + '"';
    const std::string id =
        world.manager.subscribe(1, client, R"(["newFinalizedHeads",{"cursor":)" + option + "}]").value();
    world.source.set_interest(0, world.manager.interest(), world.now);
    std::vector<Listening> answers;
    do {  // time passes in leaps here: the client may have to ask again
      world.source.await_listening(kType, world.now);
      while ((answers = world.source.take_listening()).empty()) step(false);
    } while (!answers.front().refusal.empty());
    if (const auto missing = world.manager.activate(1, id)) world.ask_history(*missing);
    for (int i = 0; i < 400; ++i) {
      const std::uint64_t move = random.below(24);
      if (move < 2) node.mine(1 + random.below(4));
      const std::uint64_t depth = std::min(1 + random.below(5), node.head().number - final_number);
      if (move == 2 && depth > 0) node.reorg(depth, 1 + random.below(6));
      final_number = std::max(final_number, std::max<std::uint64_t>(node.head().number, 6) - 6);
      step(true);
    }
    node.mine(10);
    final_number = node.head().number - 6;
    const auto is_there = [&] {
      return !client.results.empty() && parse_header(client.results.back()).value().number == final_number;
    };
    for (int i = 0; i < 5000 && !is_there(); ++i) step(false);
  }
  ASSERT_FALSE(client.results.empty());
  const std::uint64_t first = parse_header(client.results.front()).value().number;
  for (std::size_t i = 0; i < client.results.size(); ++i) {
    const Header header = parse_header(client.results[i]).value();
    ASSERT_EQ(header.number, first + i);
    ASSERT_EQ(header.hash, node.at(header.number).hash);
  }
  EXPECT_EQ(first + client.results.size() - 1, final_number);
  for (const std::string& notice : client.notices) EXPECT_TRUE(notice.contains("live")) << notice;
}

INSTANTIATE_TEST_SUITE_P(Seeds, NewFinalizedHeadsRandom, ::testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace fanfare::eth
