// Random chains behind a faulty node, and clients of sessions whose connections are cut at random, silently or not. Frames
// and pongs that are under way are lost. What each client has at the end is what the final chain says, and nothing that
// it had confirmed is sent again. Replayed from a seed.
//
// In the second test they also come to another instance: with what the one before hands over, or with a copy that is older than what
// it has sent since then.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "eth/chain_source_world.h"
#include "eth/resume_link.h"

namespace fanfare::eth {
namespace {

struct Ping {
  std::size_t covers = 0;  // so many results were sent before it
};
using Item = std::variant<std::string, Ping>;  // a result, or a ping

// One connection: both ends of it, and what is under way.
struct Wire final : ResumeLink, pubsub::Subscriber {
  Wire(ResumeRecord& record, std::function<void(const Wire&, const std::string&)> sending)
      : ResumeLink(record, record.take()), on_sending(std::move(sending)) {}

  bool deliver(const SharedBytes& frame) override {
    const std::string_view text = as_text(frame.view());
    const auto params = jsonrpc::member(text, "params").value_or("");
    EXPECT_FALSE(jsonrpc::member(params, "cursor") || jsonrpc::member(params, "notice")) << text;
    std::string result(jsonrpc::member(params, "result").value_or(""));
    ++sent;
    on_sending(*this, result);
    down.emplace_back(std::move(result));
    return true;
  }
  bool is_congested() const override { return congested; }
  void on_noted() override { is_dirty = true; }
  bool is_of(const ResumeRecord& session) const { return &record() == &session; }
  // The server's side.
  void flush() {
    if (!is_dirty || is_pinged) return;
    is_dirty = false;
    if (!record().ping(owner())) return;
    is_pinged = true;
    down.emplace_back(Ping{.covers = sent});
  }
  void confirm_all() { record().confirm_all(owner()); }
  void take_pong() {
    record().pong(owner());
    is_pinged = false;
    flush();
  }

  std::function<void(const Wire&, const std::string&)> on_sending;
  ConnectionKey key = 0;
  std::string id;
  bool is_active = false;
  bool is_dirty = false;
  bool is_pinged = false;
  bool congested = false;
  std::size_t sent = 0;  // results
  std::deque<Item> down;
  std::deque<Ping> up;  // answered
};

// What the server can know of a head or a log: the last message that it sent about it, and whether that was confirmed. Nothing
// else shows what the client has, because a message that was not confirmed may have arrived or not.
struct Known {
  bool is_held = false;  // after that message
  ConnectionKey on = 0;
  std::size_t nr = 0;  // of the message on its connection
  bool is_confirmed = false;
};

std::shared_ptr<ResumeRecord> new_record() {
  return std::make_shared<ResumeRecord>(ResumeRecordLimits{.turns_max = 100});
}

struct HistoryClient {
  bool is_of_heads = false;
  std::string params;
  LogFilter filter = {};
  std::shared_ptr<ResumeRecord> record = new_record();
  std::optional<ResumeImage> copy = {};
  bool was_stale = false;                  // a log that is gone may be retracted more than once
  std::uint64_t lowest_sent = UINT64_MAX;  // the number of a block, since the copy
  std::unique_ptr<Wire> wire = {};
  std::vector<std::string> results = {};  // duplicates included
  std::map<std::string, bool> held = {};  // logs, by the text without `removed`
  std::map<std::string, Known> known = {};

  // The text without `removed`, and that.
  std::pair<std::string, bool> parts_of(const std::string& result) const {
    static constexpr std::string_view kAdded = ",\"removed\":false}";
    static constexpr std::string_view kRemoved = ",\"removed\":true}";
    const bool is_removed = result.ends_with(kRemoved);
    const std::size_t end = is_of_heads ? 0 : (is_removed ? kRemoved : kAdded).size();
    return {result.substr(0, result.size() - end), is_removed};
  }
  void note_sending(const Wire& on, const std::string& result) {
    // An instance that hangs goes on; nobody receives that.
    if (!on.is_of(*record)) return;
    const auto block = jsonrpc::member(result, is_of_heads ? "number" : "blockNumber");
    const std::uint64_t number = parse_quantity(jsonrpc::string_copy(*block).value()).value();
    lowest_sent = std::min(lowest_sent, number);
    const auto [text, is_removed] = parts_of(result);
    // A head replaces those of its height and above.
    for (auto& [other, state] : known) {
      if (is_of_heads && parse_header(other).value().number >= number && other != text)
        state = {.on = on.key, .nr = on.sent};
    }
    Known& now = known[text];
    const bool is_repeated = now.nr > 0 && now.is_held != is_removed;
    EXPECT_FALSE(is_repeated && now.is_confirmed && !(was_stale && is_removed)) << "sent twice: " << result;
    now = {.is_held = !is_removed, .on = on.key, .nr = on.sent};
  }
  void take_copy() {
    copy = record->image();
    lowest_sent = UINT64_MAX;
  }
  // Whether an instance knows what it needs for a copy that is not the last state.
  bool can_use_copy() const {
    if (!copy || copy->subscriptions.empty()) return false;
    const std::uint64_t number = parse_cursor(copy->subscriptions.front().from)->number;
    return lowest_sent >= number - std::min<std::uint64_t>(number, Position::kAncestorsMax);
  }
  void receive(const std::string& result) {
    results.push_back(result);
    const auto [text, is_removed] = parts_of(result);
    held[text] = !is_removed;
  }
  void confirm(std::size_t sent) {
    for (auto& [text, state] : known) {
      if (state.on == wire->key && state.nr <= sent) state.is_confirmed = true;
    }
  }
  void take_pong(const Ping& ping) {
    confirm(ping.covers);
    wire->take_pong();
  }
  std::vector<std::string> logs() const {
    std::vector<std::string> all;
    for (const auto& [text, is_held] : held) {
      if (is_held) all.push_back(text);
    }
    return all;
  }
};

struct SessionWorld {
  explicit SessionWorld(std::uint64_t seed, bool has_instances = false)
      : random(seed), moves_between_instances(has_instances) {
    ChainSourceOptions options;
    options.heads.stuck_rounds_max = 100'000;
    options.chain.logs_attempts_max = 100'000;
    options.history.attempts_max = 100'000;
    options.history.branch_attempts_max = 100'000;
    options.history.batch_blocks_max = 1 + static_cast<std::uint32_t>(random.below(8));
    options.history.live_blocks_max = 1 + static_cast<std::uint32_t>(random.below(2));
    instance = std::make_unique<ChainSourceWorld>(options, random.next_u64());
    node().mine(random.below(4));
    instance->start();
    first = instance->source.tip()->number;
    const std::string topic = R"(["logs",{"topics":[")" + simulated_topic(1) + "\"]}]";
    for (const std::string& params : {std::string(R"(["newHeads"])"), std::string(R"(["logs",{}])"), topic,
                                      std::string(R"(["logs",{}])")}) {
      auto client = std::make_unique<HistoryClient>();
      client->is_of_heads = params.starts_with(R"(["newHeads")");
      client->params = params;
      if (!client->is_of_heads) client->filter = parse_log_filter(*jsonrpc::element(params, 1)).value();
      clients.push_back(std::move(client));
    }
  }
  SimulatedNode& node() { return instance->node; }

  // The former connection still has the record of its instance.
  void move(HistoryClient& client) {
    const std::uint64_t how = random.below(4);
    const bool is_stale = how == 0 && client.can_use_copy();
    if (how > 1 || (how == 0 && !is_stale)) return;
    const ResumeImage image = is_stale ? *client.copy : client.record->image();
    records.push_back(std::exchange(client.record, new_record()));
    if (!is_stale) records.back()->take();
    EXPECT_TRUE(client.record->restore(image, is_stale));
    if (is_stale) ++stale;
  }
  void connect(HistoryClient& client) {
    if (moves_between_instances) move(client);
    // What a stale one may have is retracted and sent again.
    if (std::ranges::any_of(client.record->image().subscriptions, &ResumeImage::Subscription::is_stale)) {
      client.was_stale = true;
      for (auto& [text, state] : client.known) state.is_confirmed = false;
    }
    auto wire = std::make_unique<Wire>(*client.record, [&client](const Wire& on, const std::string& result) {
      client.note_sending(on, result);
    });
    wire->key = ++last_key;
    wire->id =
        instance->manager.subscribe(wire->key, *wire, client.params, IdScope::shared, wire.get()).value();
    instance->source.set_interest(0, instance->manager.interest(), instance->now);
    // The former connection may not know yet that it is one.
    if (client.wire != nullptr) orphans.push_back(std::move(client.wire));
    client.wire = std::move(wire);
    if (!instance->manager.continues(client.wire->key, client.wire->id)) activate(*client.wire);
  }
  void activate(Wire& wire) {
    wire.is_active = true;
    if (const auto missing = instance->manager.activate(wire.key, wire.id)) instance->ask_history(*missing);
  }
  void end(std::unique_ptr<Wire> wire) {
    instance->manager.drop(wire->key);
    instance->source.set_interest(0, instance->manager.interest(), instance->now);
  }
  void receive(HistoryClient& client, std::uint64_t most) {
    Wire& wire = *client.wire;
    for (; most > 0 && !wire.down.empty(); --most) {
      if (const auto* result = std::get_if<std::string>(&wire.down.front())) {
        client.receive(*result);
      } else {
        wire.up.push_back(std::get<Ping>(wire.down.front()));
      }
      wire.down.pop_front();
    }
  }
  void take_pongs(HistoryClient& client, std::uint64_t most) {
    Wire& wire = *client.wire;
    for (; most > 0 && !wire.up.empty(); --most) {
      const Ping answered = wire.up.front();
      wire.up.pop_front();
      client.take_pong(answered);
    }
  }
  // The server learns of it, or not.
  void cut(HistoryClient& client) {
    receive(client, random.below(4));
    take_pongs(client, random.below(3));
    orphans.push_back(std::move(client.wire));
    ++cuts;
    if (random.below(2) == 0) end_orphan();
  }
  void end_orphan() {
    if (orphans.empty()) return;
    end(std::move(orphans.front()));
    orphans.pop_front();
  }
  void collect() {
    publish();
    for (jsonrpc::UpstreamCall& call : instance->source.take_calls()) pending.push_back(std::move(call));
  }
  void publish() {
    instance->publish();
    for (auto& client : clients) {
      if (client->wire != nullptr) client->wire->flush();
    }
    for (auto& wire : orphans) wire->flush();
    for (const auto& closing : std::exchange(instance->closed, {})) {
      for (const ConnectionKey key : closing.connections) end_closed(key);
    }
  }
  // The server closes the connection: its client reads the rest, and answers.
  void end_closed(ConnectionKey key) {
    for (auto& client : clients) {
      if (client->wire == nullptr || client->wire->key != key) continue;
      receive(*client, UINT64_MAX);
      client->wire->confirm_all();
      client->confirm(client->wire->sent);
      end(std::move(client->wire));
    }
  }
  void answer_one() {
    const std::size_t which = random.below(pending.size());
    const jsonrpc::UpstreamCall call = pending[which];
    pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(which));
    if (random.below(16) == 0) {
      instance->source.on_reply(call.id, std::unexpected(jsonrpc::CallFailure{.message = "502"}),
                                instance->now);
    } else {
      instance->reply(call.id, node().answer(call));
    }
  }
  void move_chain() {
    const std::uint64_t above = node().head().number - std::min(first, node().head().number);
    const std::uint64_t move = random.below(12);
    if (move < 2) node().mine(1 + random.below(3));
    if (move == 2 && above > 2) {
      node().reorg(1 + random.below(std::min<std::uint64_t>(above - 1, 10)), random.below(6));
    }
  }
  void move_clients() {
    HistoryClient& client = *clients[random.below(clients.size())];
    if (random.below(20) == 0) end_orphan();
    const std::uint64_t move = random.below(24);
    if (client.wire == nullptr) {
      if (move < 8) connect(client);
    } else if (move == 0) {
      cut(client);
    } else if (move == 1) {
      receive(client, random.below(4));
      connect(client);
    } else if (!client.wire->is_active) {
      activate(*client.wire);
    } else if (move < 4) {
      client.wire->congested = !client.wire->congested;
      if (!client.wire->congested) drained(*client.wire);
    } else if (move < 12) {
      receive(client, 1 + random.below(4));
    } else {
      take_pongs(client, 1);
    }
  }
  void drained(const Wire& wire) {
    for (const auto& missing : instance->manager.drained(wire.key)) instance->ask_history(missing);
  }
  void step() {
    move_chain();
    move_clients();
    if (moves_between_instances && random.below(10) == 0) clients[random.below(clients.size())]->take_copy();
    if (pending.empty() || random.below(5) == 0) {
      instance->now = std::max(instance->now, instance->source.next_timer().value());
      instance->source.on_timer(instance->now);
    } else {
      answer_one();
    }
    collect();
  }
  void finish() {
    for (auto& client : clients) {
      if (client->wire == nullptr) connect(*client);
      client->wire->congested = false;
      if (!client->wire->is_active) activate(*client->wire);
      drained(*client->wire);
    }
    node().mine(20);
    pending.clear();
    for (int i = 0; i < 1000; ++i) {
      instance->catch_up();
      publish();
      const bool was_closed =
          std::ranges::any_of(clients, [](auto& client) { return client->wire == nullptr; });
      if (instance->resuming.empty() && !was_closed) break;
      for (auto& client : clients) {
        if (client->wire != nullptr) continue;
        connect(*client);
        if (!client->wire->is_active) activate(*client->wire);
      }
      instance->tick();
    }
    for (auto& client : clients) receive(*client, UINT64_MAX);
  }

  SeededRandom random;
  std::unique_ptr<ChainSourceWorld> instance;
  std::vector<jsonrpc::UpstreamCall> pending;
  std::vector<std::unique_ptr<HistoryClient>> clients;
  std::deque<std::unique_ptr<Wire>> orphans;  // connections whose client is gone
  std::uint64_t first = 0;
  const bool moves_between_instances;
  std::vector<std::shared_ptr<ResumeRecord>> records;  // of instances before
  std::size_t stale = 0;
  ConnectionKey last_key = 0;
  std::size_t cuts = 0;
};

// The final chain of a client that follows heads by their parents.
std::vector<Hash256> folded_heads(const std::vector<std::string>& results) {
  std::vector<Header> chain;
  for (const std::string& result : results) {
    Header head = parse_header(result).value();
    while (!chain.empty() && chain.back().number >= head.number) chain.pop_back();
    EXPECT_TRUE(chain.empty() || chain.back().hash == head.parent_hash) << "a gap before " << head.number;
    chain.push_back(std::move(head));
  }
  std::vector<Hash256> hashes;
  for (const Header& head : chain) hashes.push_back(head.hash);
  return hashes;
}

void run(SessionWorld& world) {
  for (auto& client : world.clients) world.connect(*client);
  world.collect();
  for (int step = 0; step < 500; ++step) world.step();
  world.finish();
  ASSERT_EQ(world.instance->source.tip()->hash, world.node().head().hash);
  ASSERT_TRUE(world.instance->resuming.empty());
  for (const auto& client : world.clients) {
    if (client->is_of_heads) {
      std::vector<Hash256> expected;
      for (const SimulatedBlock& block : world.node().chain()) {
        if (block.number > world.first) expected.push_back(block.hash);
      }
      EXPECT_EQ(folded_heads(client->results), expected);
      continue;
    }
    std::vector<std::string> expected = expected_logs(world.node(), world.first, client->filter);
    std::ranges::sort(expected);
    const std::vector<std::string> held = client->logs();
    std::vector<std::string> missing;
    std::ranges::set_difference(expected, held, std::back_inserter(missing));
    std::vector<std::string> extra;
    std::ranges::set_difference(held, expected, std::back_inserter(extra));
    EXPECT_TRUE(missing.empty()) << missing.size() << " lost, such as " << missing.front();
    EXPECT_TRUE(extra.empty()) << extra.size() << " not removed, such as " << extra.front();
  }
  for (auto& wire : world.orphans) world.end(std::move(wire));
}

class SessionHistory : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SessionHistory, WhoeverReconnectsHasWhatTheFinalChainSays) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  SessionWorld world(GetParam());
  run(world);
}

TEST_P(SessionHistory, WhoeverComesToAnotherInstanceHasWhatTheFinalChainSays) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  SessionWorld world(GetParam(), true);
  run(world);
  EXPECT_GT(world.stale, 0U);
}

// FANFARE_HISTORY_SEEDS=2000 runs the seeds 1 to 2000.
std::uint64_t session_seeds() {
  const char* wanted = std::getenv("FANFARE_HISTORY_SEEDS");
  return wanted == nullptr ? 40 : std::strtoull(wanted, nullptr, 10);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SessionHistory, testing::Range<std::uint64_t>(1, 1 + session_seeds()));

}  // namespace
}  // namespace fanfare::eth
