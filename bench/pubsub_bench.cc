// What a topic adds to the work of its subscribers: who shares the frame, who joins and leaves.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/shared_bytes.h"
#include "pubsub/topic_table.h"

namespace fanfare::pubsub {
namespace {

// Holds its share of the newest frame, as an outbox does until it is sent.
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
BENCHMARK(publish)->ArgName("subscribers")->Arg(1)->Arg(100)->Arg(10'000)->Arg(100'000);

// One of many leaves, and comes back.
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
