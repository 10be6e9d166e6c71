#include "eth/pending_source.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "eth/syncing_source.h"
#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

std::string hash(char digit) {
  return "0x" + std::string(64, digit);
}
std::string transaction(char digit) {
  return R"({"hash":")" + hash(digit) + R"(","nonce":"0x0"})";
}
std::string hashes(const std::string& digits) {
  std::string json = "[";
  for (const char digit : digits) json += (json.size() > 1 ? ",\"" : "\"") + hash(digit) + '"';
  return json + "]";
}

// What the node answers; "" rejects, "!" is no answer at all.
using Answers = std::function<std::string(const UpstreamCall&)>;

template <typename Source>
void answer_all(Source& source, const Answers& answers, Instant now, std::vector<std::string>* methods) {
  for (auto calls = source.take_calls(); !calls.empty(); calls = source.take_calls()) {
    for (const UpstreamCall& call : calls) {
      if (methods != nullptr) methods->emplace_back(call.method);
      const std::string json = answers(call);
      if (json == "!") continue;
      if (json.empty()) {
        source.on_reply(call.id,
                        std::unexpected(CallFailure{
                            .kind = CallFailure::Kind::rejected, .code = -32601, .message = "no"}),
                        now);
      } else {
        source.on_reply(call.id, CallResult(json), now);
      }
    }
  }
}

struct World {
  void want(PendingWanted wanted) {
    source.set_wanted(wanted, now);
    answer_all(source, answers, now, &methods);
  }
  void tick() {
    now = source.next_timer().value();
    source.on_timer(now);
    answer_all(source, answers, now, &methods);
  }
  // "a" is hash a; "A" the same transaction whole.
  std::string take() {
    std::string text;
    for (const PendingEvent& event : source.take_events()) {
      if (const auto* one = std::get_if<PendingHash>(&event)) text += one->hash.at(2);
      if (const auto* one = std::get_if<PendingBody>(&event)) {
        EXPECT_EQ(jsonrpc::string_value(jsonrpc::member(one->transaction_json, "hash").value()), one->hash);
        text += static_cast<char>(one->hash.at(2) - 'a' + 'A');
      }
    }
    return text;
  }
  SeededRandom random{1};
  CallIds ids;
  PendingSource source{{}, ids, random};
  Instant now{std::chrono::hours(1)};
  Answers answers;
  std::vector<std::string> methods;
};

TEST(PendingSource, AsksNothingUntilWanted) {
  World world;
  EXPECT_TRUE(world.source.take_calls().empty());
  EXPECT_FALSE(world.source.next_timer());
}

TEST(PendingSource, AFilterGivesHashesOnceEach) {
  World world;
  std::string changes = "";
  world.answers = [&](const UpstreamCall& call) {
    if (call.method == "eth_newPendingTransactionFilter") return std::string("\"0x7\"");
    EXPECT_EQ(call.method, "eth_getFilterChanges");
    EXPECT_EQ(call.params_json, "[\"0x7\"]");
    return hashes(changes);
  };
  world.want(PendingWanted::hashes);
  changes = "ab";
  world.tick();
  EXPECT_EQ(world.take(), "ab");
  changes = "bc";
  world.tick();
  EXPECT_EQ(world.take(), "c");
}

TEST(PendingSource, BodiesFollowTheirHashesAndAreNeverNull) {
  World world;
  world.answers = [&](const UpstreamCall& call) {
    if (call.method == "eth_newPendingTransactionFilter") return std::string("\"0x7\"");
    if (call.method == "eth_getFilterChanges") return hashes("abc");
    EXPECT_EQ(call.method, "eth_getTransactionByHash");
    return call.params_json.at(4) == 'b' ? std::string("null") : transaction(call.params_json.at(4));
  };
  world.want(PendingWanted::bodies);
  world.tick();
  EXPECT_EQ(world.take(), "abcAC");
  EXPECT_EQ(world.source.status().bodies_lost, 1U);
}

TEST(PendingSource, AFilterTheNodeForgotIsSetUpAgain) {
  World world;
  int filters = 0;
  bool forgot = false;
  world.answers = [&](const UpstreamCall& call) {
    if (call.method == "eth_newPendingTransactionFilter") return "\"0x" + std::to_string(++filters) + '"';
    return forgot ? std::string() : hashes("a");
  };
  world.want(PendingWanted::hashes);
  world.tick();
  forgot = true;
  world.tick();
  forgot = false;
  world.tick();
  EXPECT_EQ(filters, 2);
  EXPECT_EQ(world.source.status().way, PendingSource::Way::filter);
}

TEST(PendingSource, WithoutFiltersThePoolIsCompared) {
  World world;
  std::string pool = "a";
  world.answers = [&](const UpstreamCall& call) {
    if (call.method != "txpool_content") return std::string();
    std::string json = R"({"queued":{"0x1":{"9":)" + transaction('f') + R"(}},"pending":{"0x2":{)";
    for (std::size_t i = 0; i < pool.size(); ++i) {
      json += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":" + transaction(pool[i]);
    }
    return json + "}}}";
  };
  world.want(PendingWanted::bodies);
  EXPECT_EQ(world.take(), "");  // what is there already is not new
  pool = "abc";
  world.tick();
  EXPECT_EQ(world.take(), "bBcC");
  EXPECT_EQ(world.source.status().way, PendingSource::Way::txpool);
}

TEST(PendingSource, WithoutAPoolThePendingBlockIsCompared) {
  World world;
  std::string block = "a";
  world.answers = [&](const UpstreamCall& call) {
    if (call.method != "eth_getBlockByNumber") return std::string();
    EXPECT_EQ(call.params_json, R"(["pending",true])");
    std::string json = R"({"transactions":[)";
    for (const char digit : block) json += (json.back() == '[' ? "" : ",") + transaction(digit);
    return json + "]}";
  };
  world.want(PendingWanted::hashes);
  block = "bc";
  world.tick();
  EXPECT_EQ(world.take(), "bc");
  EXPECT_EQ(world.methods, (std::vector<std::string>{"eth_newPendingTransactionFilter", "txpool_content",
                                                     "eth_getBlockByNumber", "eth_getBlockByNumber"}));
}

TEST(PendingSource, ANodeWithNoWayIsAskedAgainLater) {
  World world;
  world.answers = [](const UpstreamCall&) { return std::string(); };
  world.want(PendingWanted::hashes);
  EXPECT_EQ(world.source.status().way, PendingSource::Way::none);
  EXPECT_EQ(*world.source.next_timer() - world.now, PendingSourceOptions{}.retry_all);
  world.answers = [](const UpstreamCall& call) {
    return call.method == "eth_newPendingTransactionFilter" ? std::string("\"0x1\"") : hashes("a");
  };
  world.tick();
  world.tick();
  EXPECT_EQ(world.take(), "a");
}

TEST(PendingSource, NoAnswerIsGivenUpAndNobodyWantingStopsIt) {
  World world;
  world.answers = [](const UpstreamCall&) { return std::string("!"); };
  world.want(PendingWanted::hashes);
  world.tick();
  EXPECT_EQ(world.source.status().last_failure, "no answer in time");
  world.want(PendingWanted::nothing);
  EXPECT_FALSE(world.source.next_timer());
}

TEST(SyncingSource, TellsChangesOnly) {
  SeededRandom random(1);
  CallIds ids;
  SyncingSource source({}, ids, random);
  Instant now{std::chrono::hours(1)};
  std::string state = "false";
  const Answers answers = [&](const UpstreamCall&) { return state; };
  source.set_wanted(true, now);
  answer_all(source, answers, now, nullptr);
  const auto tick = [&] {
    now = source.next_timer().value();
    source.on_timer(now);
    answer_all(source, answers, now, nullptr);
    return source.take_events();
  };
  EXPECT_TRUE(tick().empty());
  state = R"({"currentBlock":"0x1"})";
  EXPECT_EQ(tick(), std::vector<std::string>{R"({"syncing":true,"status":{"currentBlock":"0x1"}})"});
  EXPECT_TRUE(tick().empty());
  state = R"({"currentBlock":"0x2"})";
  EXPECT_EQ(tick(), std::vector<std::string>{R"({"syncing":true,"status":{"currentBlock":"0x2"}})"});
  state = "";  // a node that has no such method is not syncing
  EXPECT_EQ(tick(), std::vector<std::string>{"false"});
  state = "!";
  EXPECT_TRUE(tick().empty());
  EXPECT_TRUE(tick().empty());
  source.set_wanted(false, now);
  EXPECT_FALSE(source.next_timer());
}

TEST(PendingSource, WhileTheNodeTellsByItselfNothingIsPolled) {
  World world;
  world.answers = [](const UpstreamCall& call) {
    return call.method == "txpool_content" ? "{}" : std::string();
  };
  world.source.set_pushed(true, world.now);
  world.want(PendingWanted::hashes);
  EXPECT_TRUE(world.methods.empty());
  EXPECT_FALSE(world.source.next_timer());
  world.source.saw_pushed(hash('a'));
  world.source.saw_pushed(hash('a'));
  world.source.saw_pushed("0x12");
  EXPECT_EQ(world.take(), "a");
  // It does no longer: what it told is not told again.
  world.answers = [](const UpstreamCall& call) {
    if (call.method == "txpool_content") {
      return R"({"pending":{"0x1":{"0":)" + transaction('a') + R"(,"1":)" + transaction('b') + "}}}";
    }
    return std::string();
  };
  world.source.set_pushed(false, world.now);
  answer_all(world.source, world.answers, world.now, &world.methods);
  EXPECT_EQ(world.methods.back(), "txpool_content");
  world.source.saw_pushed(hash('c'));
  EXPECT_FALSE(world.take().contains('a'));
}

}  // namespace
}  // namespace fanfare::eth
