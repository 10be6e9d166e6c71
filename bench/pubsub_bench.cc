// The cost of topics besides the work of their subscribers: sharing a frame, joining and leaving.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/shared_bytes.h"
#include "pubsub/hub.h"
#include "pubsub/loop_hub.h"
#include "pubsub/topic_table.h"

namespace fanfare::pubsub {
namespace {

// Holds a reference to the newest frame, as an outbox does until it is sent.
struct Holder final : Subscriber {
  bool deliver(const SharedBytes& frame) override {
    held = frame;
    return true;
  }
  SharedBytes held;
};

void publish(benchmark::State& state) {
  TopicTable table;
  std::deque<Holder> holders(static_cast<std::size_t>(state.range(0)));
  for (Holder& holder : holders) table.subscribe({.high = 1, .low = 1}, holder);
  const std::string frame(504, 'a');
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.publish({.high = 1, .low = 1}, SharedBytes(as_bytes(frame))));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(publish)->ArgName("subscribers")->Arg(1)->Arg(100)->Arg(1000)->Arg(10'000)->Arg(100'000);

struct HubHolder final : HubSubscriber {
  bool is_open() const override { return true; }
  bool is_congested() const override { return false; }
  bool send(const SharedBytes& frame) override {
    held = frame;
    return true;
  }
  bool has_room_behind(std::size_t) override { return true; }
  void on_ready() override {}
  void tell_missed(const Missed&) override {}
  void on_notice(TopicNotice) override {}
  std::string_view topic_name() const override { return ""; }
  SharedBytes held;
};

// One loop, whose mailbox is processed at once.
struct OneLoop final : HubLoops, LoopPort {
  explicit OneLoop(Hub& hub) : loop_hub(hub, 0, *this) { hub.attach(*this); }
  std::size_t count() const override { return 1; }
  bool post(std::size_t, Task task) override {
    tasks.push_back(std::move(task));
    return true;
  }
  Instant now() override { return {}; }
  void call_after(Duration, UniqueFunction<void()>) override {}
  void run() {
    for (; !tasks.empty(); tasks.pop_front()) tasks.front()(loop_hub);
  }
  LoopHub loop_hub;
  std::deque<Task> tasks;
};

// Publishes through a hub topic: limits, position, history, receipt.
void publish_numbered(benchmark::State& state) {
  SeededRandom random(1);
  Hub hub({}, random);
  OneLoop loop(hub);
  const auto topic = *hub.add("t", {.history = {.messages_max = static_cast<std::size_t>(state.range(1))}});
  WaitingList list;
  std::deque<HubHolder> holders(static_cast<std::size_t>(state.range(0)));
  for (HubHolder& holder : holders) static_cast<void>(loop.loop_hub.join(topic, holder, list, {}));
  const std::string frame(504, 'a');
  for (auto _ : state) {
    benchmark::DoNotOptimize(hub.publish(topic, SharedBytes(as_bytes(frame))));
    loop.run();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(publish_numbered)
    ->ArgNames({"subscribers", "history"})
    ->Args({1, 0})
    ->Args({1000, 0})
    ->Args({1000, 1000})
    ->Args({100'000, 1000});

// One of many subscribers leaves and joins again.
void leave_and_join(benchmark::State& state) {
  TopicTable table;
  std::deque<Holder> holders(static_cast<std::size_t>(state.range(0)));
  std::vector<Ticket> tickets;
  tickets.reserve(holders.size());
  for (Holder& holder : holders) tickets.push_back(table.subscribe({.high = 1, .low = 1}, holder));
  std::size_t next = 0;
  for (auto _ : state) {
    table.unsubscribe(tickets[next]);
    tickets[next] = table.subscribe({.high = 1, .low = 1}, holders[next]);
    next = (next + 7919) % holders.size();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(leave_and_join)->ArgName("subscribers")->Arg(100)->Arg(100'000);

}  // namespace
}  // namespace fanfare::pubsub
