#pragma once
// For tests only: a head poller, the simulated node it asks, and the time between them.

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "eth/head_poller.h"
#include "eth/simulated_node.h"

namespace fanfare::eth {

// The poller and a node, with simulated time. Answers come at once unless a test holds them back.
struct HeadPollerWorld {
  explicit HeadPollerWorld(const HeadPollerOptions& options = {}, std::uint64_t seed = 1)
      : random(seed), node(random), poller(options, ids, random) {}

  void start() {
    poller.start(now);
    settle();
  }
  // Answers calls until none are outstanding.
  void settle() {
    for (auto calls = poller.take_calls(); !calls.empty(); calls = poller.take_calls()) {
      in_flight_most = std::max(in_flight_most, calls.size());
      for (const jsonrpc::UpstreamCall& call : calls) {
        if (held && held(call)) continue;
        const std::string json = node.answer(call);
        poller.on_reply(call.id, jsonrpc::CallResult(json), now);
      }
    }
    for (HeadEvent& event : poller.take_events()) events.push_back(std::move(event));
  }
  void tick() {
    now = std::max(now, poller.next_timer().value());
    poller.on_timer(now);
    settle();
  }
  std::vector<std::uint64_t> take_heads() {
    std::vector<std::uint64_t> numbers;
    for (const HeadEvent& event : events) {
      if (const auto* head = std::get_if<NewHead>(&event)) numbers.push_back(head->header->number);
    }
    events.clear();
    return numbers;
  }
  template <typename Event>
  std::vector<Event> all() const {
    std::vector<Event> found;
    for (const HeadEvent& event : events) {
      if (const auto* one = std::get_if<Event>(&event)) found.push_back(*one);
    }
    return found;
  }

  SeededRandom random;
  SimulatedNode node;
  jsonrpc::CallIds ids;
  HeadPoller poller;
  Instant now{std::chrono::hours(1)};
  std::vector<HeadEvent> events;
  std::function<bool(const jsonrpc::UpstreamCall&)> held;
  std::size_t in_flight_most = 0;
};

}  // namespace fanfare::eth
