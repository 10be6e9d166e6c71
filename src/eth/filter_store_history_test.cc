// Random chains behind a faulty node, replayed from a seed. The changes of a filter, poll by poll, equal the
// notifications of a subscription with the same criteria, and add up to the final chain.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "eth/chain_source_world.h"
#include "eth/filter_store.h"

namespace fanfare::eth {
namespace {

std::string criteria(Random& random) {
  const std::string topic = '"' + simulated_topic(random.below(4)) + '"';
  switch (random.below(4)) {
    case 0:
      return "{}";
    case 1:
      return R"({"address":")" + simulated_address(random.below(3)) + "\"}";
    case 2:
      return R"({"topics":[)" + topic + "]}";
    default:
      return R"({"address":")" + simulated_address(random.below(3)) + R"(","topics":[null,)" + topic + "]}";
  }
}

// A filter and the subscription with the same criteria.
struct Pair {
  std::string params;  // of the subscription
  std::string id;      // of the filter, as the first parameter
  RecordingSubscriber subscriber;
  std::vector<std::string> polled;
};

struct FiltersWorld : ChainSourceWorld {
  using ChainSourceWorld::ChainSourceWorld;

  void feed() {
    publish();
    for (; fed < events.size(); ++fed) store.on_event(events[fed]);
  }
  void add(FilterKind kind, const std::string& filter) {
    feed();
    auto pair = std::make_unique<Pair>();
    pair->params = kind == FilterKind::logs ? R"(["logs",)" + filter + "]" : R"(["newHeads"])";
    const std::string own = kind == FilterKind::logs ? "[" + filter + "]" : "[]";
    pair->id = "[\"" + store.add(kind, own, "", now).value() + "\"]";
    source.set_interest(1, store.interest(), now);
    subscribe(pairs.size(), pair->subscriber, pair->params);
    pairs.push_back(std::move(pair));
  }
  void poll(Pair& pair) {
    const auto changes = store.changes(pair.id, now);
    ASSERT_TRUE(changes) << pair.params << ": " << changes.error().message;
    for (const std::string_view element : jsonrpc::array_elements(*changes))
      pair.polled.emplace_back(element);
  }

  SystemRandom ids;
  FilterStore store{{.changes_bytes_max = 2000, .idle_max = std::chrono::hours(1000)}, ids};
  std::vector<std::unique_ptr<Pair>> pairs;
  std::size_t fed = 0;
};

class FilterStoreHistory : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(FilterStoreHistory, AFilterIsToldWhatASubscriptionIs) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  ChainSourceOptions options;
  options.heads.stuck_rounds_max = 100'000;
  options.chain.logs_attempts_max = 100'000;
  options.chain.logs_wait_max = std::chrono::hours(24 * 365);
  FiltersWorld world(options, GetParam());
  Random& random = world.random;
  world.node.mine(random.below(4));
  world.start();
  world.feed();
  const std::uint64_t first = world.source.tip()->number;
  world.add(FilterKind::logs, "{}");
  world.add(FilterKind::blocks, "");

  std::vector<jsonrpc::UpstreamCall> pending;
  for (int step = 0; step < 400; ++step) {
    const std::uint64_t above = world.node.head().number - std::min(first, world.node.head().number);
    const std::uint64_t move = random.below(12);
    if (move < 2) world.node.mine(1 + random.below(3));
    if (move == 2 && above > 2) {
      world.node.reorg(1 + random.below(std::min<std::uint64_t>(above - 1, 12)), random.below(5));
    }
    if (move == 3 && world.pairs.size() < 12) {
      const bool blocks = random.below(4) == 0;
      world.add(blocks ? FilterKind::blocks : FilterKind::logs, criteria(random));
    }
    if (move == 4) world.poll(*world.pairs[random.below(world.pairs.size())]);
    if (pending.empty() || random.below(5) == 0) {
      world.now = std::max(world.now, world.source.next_timer().value());
      world.source.on_timer(world.now);
    } else {
      const std::size_t which = random.below(pending.size());
      const jsonrpc::UpstreamCall call = pending[which];
      pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(which));
      const std::uint64_t fault = random.below(10);
      if (fault == 0) {
        world.source.on_reply(call.id, std::unexpected(jsonrpc::CallFailure{.message = "502"}), world.now);
      } else if (fault == 1) {
        world.reply(call.id, call.method == "eth_getLogs" ? "[]" : "null");
      } else if (fault > 2) {  // 2: never answered
        world.reply(call.id, world.node.answer(call));
      }
    }
    for (jsonrpc::UpstreamCall& call : world.source.take_calls()) pending.push_back(std::move(call));
    world.feed();
  }
  world.node.mine(20);
  world.catch_up();
  world.feed();
  ASSERT_TRUE(world.all<LogsMissing>().empty());
  for (const auto& pair : world.pairs) {
    // Several polls: an answer is cut at its size limit.
    for (std::size_t before = ~std::size_t{0}; before != pair->polled.size();) {
      before = pair->polled.size();
      world.poll(*pair);
    }
    std::vector<std::string> told = pair->subscriber.results;
    if (pair->params.contains("newHeads")) {
      for (std::string& head : told) head = *jsonrpc::member(head, "hash");
    }
    EXPECT_EQ(pair->polled, told) << pair->params;
  }
  EXPECT_EQ(world.store.kept_bytes(), 0U);
  std::vector<std::string> logs;
  for (const std::string& log : world.pairs[0]->polled) {
    if (log.ends_with("\"removed\":true}")) {
      ASSERT_FALSE(logs.empty());
      logs.pop_back();
    } else {
      logs.push_back(log.substr(0, log.rfind(",\"removed\"")));
    }
  }
  EXPECT_EQ(logs, expected_logs(world.node, first, LogFilter{}));
}

INSTANTIATE_TEST_SUITE_P(Seeds, FilterStoreHistory, ::testing::Range<std::uint64_t>(1, 31));

}  // namespace
}  // namespace fanfare::eth
