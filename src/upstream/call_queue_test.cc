#include "upstream/call_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace fanfare::upstream {
namespace {

using Place = CallQueue::Place;

Caller client(std::string name, std::uint64_t connection = 1) {
  return {.client = std::move(name), .connection = connection};
}
Caller connection(std::uint64_t key) {
  return {.client = {}, .connection = key};
}

// A queue with named calls, so that tests show the order in which they went to the node.
struct Queue {
  explicit Queue(CallQueueLimits limits) : queue(limits) {}

  Place add(const std::string& name, const Caller& caller) {
    const CallQueue::CallId id = ++last;
    calls[id] = {name, caller};
    const Place place = queue.add(id, caller);
    if (place == Place::at_node) at_node.push_back(id);
    return place;
  }
  // Ends the oldest call at the node; returns the next to go.
  std::string end_oldest() {
    queue.ended(calls.at(at_node.front()).second);
    at_node.erase(at_node.begin());
    std::string names;
    while (const auto id = queue.next()) {
      names += calls.at(*id).first + ' ';
      at_node.push_back(*id);
    }
    return names;
  }
  std::size_t at_node_of(const std::string& name) const {
    std::size_t count = 0;
    for (const auto id : at_node) count += calls.at(id).second.client == name ? 1 : 0;
    return count;
  }

  CallQueue queue;
  CallQueue::CallId last = 0;
  std::map<CallQueue::CallId, std::pair<std::string, Caller>> calls;
  std::vector<CallQueue::CallId> at_node;
};

TEST(CallQueue, SlowCallsOfAllClientsTogetherLeaveAQuarterOfTheSlotsFree) {
  CallQueue queue({.calls_max = 64});
  CallQueue::CallId id = 0;
  const auto slow = CallQueue::Pace::slow;
  for (std::uint64_t i = 0; i < 48; ++i) EXPECT_EQ(queue.add(++id, connection(i), slow), Place::at_node);
  EXPECT_EQ(queue.add(++id, connection(48), slow), Place::waiting);
  const CallQueue::CallId first_waiting = id;
  EXPECT_EQ(queue.add(++id, connection(49)), Place::at_node);
  EXPECT_EQ(queue.add(++id, connection(48)), Place::at_node);  // its slow call waits
  EXPECT_EQ(queue.next(), std::nullopt);
  // 48 of 64, with 14 free slots: of the 50 that are held, slow calls may have less than three times the free.
  for (std::uint64_t i = 0; i < 6; ++i) queue.ended(connection(i), slow);
  queue.ended(connection(49));
  queue.ended(connection(48));
  EXPECT_EQ(queue.next(), first_waiting);
  queue.ended(connection(48), slow);
  for (std::uint64_t i = 6; i < 48; ++i) queue.ended(connection(i), slow);
  EXPECT_EQ(queue.at_node(), 0U);
  EXPECT_EQ(queue.clients(), 0U);
}

TEST(CallQueue, AWaitingSlowCallThatIsRemovedLeavesNothing) {
  CallQueue queue({.calls_max = 1});
  EXPECT_EQ(queue.add(1, connection(1), CallQueue::Pace::slow), Place::at_node);
  EXPECT_EQ(queue.add(2, connection(2), CallQueue::Pace::slow), Place::waiting);
  EXPECT_EQ(queue.add(3, connection(2), CallQueue::Pace::fast), Place::waiting);
  EXPECT_TRUE(queue.remove(2));
  queue.ended(connection(1), CallQueue::Pace::slow);
  EXPECT_EQ(queue.next(), CallQueue::CallId{3});
  queue.ended(connection(2), CallQueue::Pace::fast);
  EXPECT_EQ(queue.clients(), 0U);
}

TEST(CallQueue, OneClientLeavesAQuarterOfThePlacesFree) {
  Queue queue({.calls_max = 64});
  for (int i = 0; i < 48; ++i) EXPECT_EQ(queue.add("a", client("a")), Place::at_node);
  EXPECT_EQ(queue.add("a", client("a")), Place::waiting);
  EXPECT_EQ(queue.add("b", client("b")), Place::at_node);
}

TEST(CallQueue, ManyClientsFillEveryPlace) {
  Queue queue({.calls_max = 8});
  for (std::uint64_t i = 0; i < 8; ++i) EXPECT_EQ(queue.add("x", connection(i)), Place::at_node);
  EXPECT_EQ(queue.add("x", connection(8)), Place::waiting);
  EXPECT_EQ(queue.queue.at_node(), 8U);
}

TEST(CallQueue, OnePlaceIsEnoughForEveryone) {
  Queue queue({.calls_max = 1});
  EXPECT_EQ(queue.add("a", client("a")), Place::at_node);
  EXPECT_EQ(queue.add("b", client("b")), Place::waiting);
  EXPECT_EQ(queue.end_oldest(), "b ");
  EXPECT_EQ(queue.end_oldest(), "");
  EXPECT_EQ(queue.queue.clients(), 0U);
}

TEST(CallQueue, AClientWithHundredsOfCallsGetsOneTurnInAsManyAsThereAreClients) {
  Queue queue({.calls_max = 1});
  for (int i = 0; i < 300; ++i) queue.add("hog", client("hog"));
  for (int i = 0; i < 4; ++i) queue.add("b", client("b"));
  for (int i = 0; i < 4; ++i) queue.add("c", client("c"));
  std::string turns;
  for (int i = 0; i < 9; ++i) turns += queue.end_oldest();
  EXPECT_EQ(turns, "hog b c hog b c hog b c ");
}

TEST(CallQueue, ConnectionsOfOneClientTakeTurnsToo) {
  Queue queue({.calls_max = 1});
  for (int i = 0; i < 4; ++i) queue.add("first", client("a", 1));
  queue.add("second", client("a", 2));
  queue.add("other", client("b", 3));
  std::string turns;
  for (int i = 0; i < 5; ++i) turns += queue.end_oldest();
  EXPECT_EQ(turns, "first other second first first ");
}

// A client gets no more turns by opening more connections.
TEST(CallQueue, AClientWithManyConnectionsIsOneClient) {
  Queue queue({.calls_max = 1});
  for (std::uint64_t i = 0; i < 100; ++i) queue.add("hog", client("hog", i));
  for (int i = 0; i < 3; ++i) queue.add("b", client("b", 1000));
  std::string turns;
  for (int i = 0; i < 6; ++i) turns += queue.end_oldest();
  EXPECT_EQ(turns, "hog b hog b hog b ");
}

TEST(CallQueue, WithoutAnIdentityEachConnectionIsAClient) {
  Queue queue({.calls_max = 1});
  for (int i = 0; i < 3; ++i) queue.add("hog", connection(1));
  queue.add("b", connection(2));
  EXPECT_EQ(queue.end_oldest(), "hog ");
  EXPECT_EQ(queue.end_oldest(), "b ");
}

TEST(CallQueue, TheQueueTakesAsManyAsItsLimitAndNoMore) {
  Queue queue({.calls_max = 1, .waiting_max = 3, .waiting_per_client_max = 2});
  queue.add("a", client("a"));
  EXPECT_EQ(queue.add("a", client("a")), Place::waiting);
  EXPECT_EQ(queue.add("a", client("a")), Place::waiting);
  EXPECT_EQ(queue.add("a", client("a")), Place::client_full);
  EXPECT_EQ(queue.add("b", client("b")), Place::waiting);
  EXPECT_EQ(queue.add("b", client("b")), Place::queue_full);
  EXPECT_EQ(queue.add("c", client("c")), Place::queue_full);
  EXPECT_EQ(queue.queue.waiting(), 3U);
  EXPECT_EQ(queue.queue.clients(), 2U) << "one that was refused is not remembered";
  queue.end_oldest();
  EXPECT_EQ(queue.add("c", client("c")), Place::waiting);
}

TEST(CallQueue, WhatIsGivenUpTakesNoTurn) {
  Queue queue({.calls_max = 1});
  queue.add("a", client("a"));
  queue.add("b", client("b"));
  queue.add("c", client("c"));
  EXPECT_TRUE(queue.queue.remove(2));
  EXPECT_FALSE(queue.queue.remove(2));
  EXPECT_FALSE(queue.queue.remove(1)) << "it is at the node";
  EXPECT_EQ(queue.end_oldest(), "c ");
  queue.end_oldest();
  EXPECT_EQ(queue.queue.clients(), 0U);
  EXPECT_EQ(queue.queue.waiting(), 0U);
}

TEST(CallQueue, APlaceThatOneClientMayNotHaveGoesToTheNext) {
  Queue queue({.calls_max = 4});
  for (int i = 0; i < 5; ++i) queue.add("hog", client("hog"));
  EXPECT_EQ(queue.at_node_of("hog"), 3U);
  EXPECT_EQ(queue.add("b", client("b")), Place::at_node);
  EXPECT_EQ(queue.add("b2", client("b")), Place::waiting);
  EXPECT_EQ(queue.end_oldest(), "hog ") << "it has two, and one place is free";
}

}  // namespace
}  // namespace fanfare::upstream
