// The sync state, polled while it is needed.

#include "eth/feeds/syncing.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "eth/pending_world.h"

namespace fanfare::eth {
namespace {

using worlds::answer_all;
using worlds::Answers;

std::vector<std::string> states(SyncingSource& source) {
  std::vector<std::string> found;
  for (const std::any& event : source.take_events()) {
    found.push_back(std::any_cast<const SyncingChanged&>(event).result_json);
  }
  return found;
}

TEST(SyncingSource, TellsTheStateOnceItIsKnownAndThenChangesOnly) {
  SeededRandom random(1);
  jsonrpc::CallIds ids;
  SyncingSource source({}, ids, random);
  Instant now{std::chrono::hours(1)};
  std::string state = "false";
  const Answers answers = [&](const jsonrpc::UpstreamCall&) { return state; };
  source.set_wanted(true, now);
  answer_all(source, answers, now, nullptr);
  EXPECT_EQ(states(source), std::vector<std::string>{"false"});
  const auto tick = [&] {
    now = source.next_timer().value();
    source.on_timer(now);
    answer_all(source, answers, now, nullptr);
    return states(source);
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
  source.on_new_loop();  // for another loop
  EXPECT_EQ(states(source), std::vector<std::string>{"false"});
  source.set_wanted(false, now);
  EXPECT_FALSE(source.next_timer());
  source.on_new_loop();
  EXPECT_TRUE(states(source).empty());
}

}  // namespace
}  // namespace fanfare::eth
