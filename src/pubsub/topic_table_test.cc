#include "pubsub/topic_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"

namespace fanfare::pubsub {
namespace {

constexpr TopicKey kHeads{.high = 0, .low = 1};
constexpr TopicKey kOther{.high = 0, .low = 2};

SharedBytes frame(std::string_view text) {
  return SharedBytes(as_bytes(text));
}

struct Listener final : Subscriber {
  bool deliver(const SharedBytes& bytes) override {
    got.emplace_back(as_text(bytes.view()));
    address = bytes.view().data();
    if (then) then();
    return accepts;
  }
  std::vector<std::string> got;
  const std::uint8_t* address = nullptr;
  std::function<void()> then;
  bool accepts = true;
};

TEST(TopicTable, EverySubscriberOfTheTopicSharesTheSameBytes) {
  TopicTable table;
  Listener a;
  Listener b;
  Listener elsewhere;
  table.subscribe(kHeads, a);
  table.subscribe(kHeads, b);
  table.subscribe(kOther, elsewhere);
  const SharedBytes head = frame("head 1");
  EXPECT_EQ(table.publish(kHeads, head), 2U);
  EXPECT_EQ(a.got, std::vector<std::string>{"head 1"});
  EXPECT_EQ(b.got, std::vector<std::string>{"head 1"});
  EXPECT_EQ(a.address, head.view().data());
  EXPECT_EQ(b.address, head.view().data());
  EXPECT_TRUE(elsewhere.got.empty());
  EXPECT_EQ(table.counters().delivered, 2U);
}

TEST(TopicTable, PublishingToNobodyIsNothing) {
  TopicTable table;
  EXPECT_EQ(table.publish(kHeads, frame("x")), 0U);
  EXPECT_EQ(table.counters().published, 0U);
}

TEST(TopicTable, TicketIsGoodOnceAndReusedSlotsAreTold) {
  TopicTable table;
  Listener a;
  Listener b;
  const Ticket first = table.subscribe(kHeads, a);
  EXPECT_TRUE(table.unsubscribe(first));
  EXPECT_FALSE(table.unsubscribe(first));
  EXPECT_EQ(table.topics(), 0U);
  const Ticket second = table.subscribe(kHeads, b);
  EXPECT_EQ(second.slot, first.slot);
  EXPECT_FALSE(table.unsubscribe(first));
  EXPECT_EQ(table.subscribers(kHeads), 1U);
  EXPECT_FALSE(table.unsubscribe(Ticket{}));
  EXPECT_TRUE(table.unsubscribe(second));
}

TEST(TopicTable, WhoLeavesItselfDuringDeliverySkipsNobody) {
  TopicTable table;
  std::vector<Listener> all(5);
  std::vector<Ticket> tickets;
  for (Listener& one : all) tickets.push_back(table.subscribe(kHeads, one));
  all[1].then = [&] { table.unsubscribe(tickets[1]); };
  table.publish(kHeads, frame("1"));
  table.publish(kHeads, frame("2"));
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].got.size(), i == 1 ? 1U : 2U) << i;
  EXPECT_EQ(table.subscribers(kHeads), 4U);
}

TEST(TopicTable, WhoIsRemovedByAnotherDuringDeliveryGetsNothing) {
  TopicTable table;
  Listener first;
  auto second = std::make_unique<Listener>();
  Listener third;
  table.subscribe(kHeads, first);
  const Ticket ticket = table.subscribe(kHeads, *second);
  table.subscribe(kHeads, third);
  first.then = [&] {
    table.unsubscribe(ticket);
    second.reset();  // destroyed: the sanitizer would detect an access
  };
  EXPECT_EQ(table.publish(kHeads, frame("1")), 2U);
  EXPECT_EQ(third.got.size(), 1U);
  first.then = nullptr;
  EXPECT_EQ(table.publish(kHeads, frame("2")), 2U);
}

TEST(TopicTable, WhoJoinsDuringDeliveryStartsWithTheNext) {
  TopicTable table;
  Listener first;
  std::vector<std::unique_ptr<Listener>> joined;
  table.subscribe(kHeads, first);
  first.then = [&] {
    for (int i = 0; i < 100; ++i) {  // enough to move the arrays
      joined.push_back(std::make_unique<Listener>());
      table.subscribe(kHeads, *joined.back());
    }
    first.then = nullptr;
  };
  EXPECT_EQ(table.publish(kHeads, frame("1")), 1U);
  EXPECT_TRUE(joined.front()->got.empty());
  EXPECT_EQ(table.publish(kHeads, frame("2")), 101U);
}

TEST(TopicTable, EveryoneLeavesDuringDeliveryAndTheTopicGoes) {
  TopicTable table;
  std::vector<Listener> all(3);
  std::vector<Ticket> tickets;
  for (Listener& one : all) tickets.push_back(table.subscribe(kHeads, one));
  all[0].then = [&] {
    for (const Ticket ticket : tickets) table.unsubscribe(ticket);
    all[0].then = nullptr;
  };
  EXPECT_EQ(table.publish(kHeads, frame("1")), 1U);
  EXPECT_EQ(table.topics(), 0U);
  table.subscribe(kHeads, all[2]);
  EXPECT_EQ(table.publish(kHeads, frame("2")), 1U);
}

TEST(TopicTable, AFailingAndARefusingSubscriberHarmNobody) {
  TopicTable table;
  Listener broken;
  Listener full;
  Listener well;
  table.subscribe(kHeads, broken);
  table.subscribe(kHeads, full);
  table.subscribe(kHeads, well);
  broken.then = [] { throw std::runtime_error("no memory"); };
  full.accepts = false;
  EXPECT_EQ(table.publish(kHeads, frame("1")), 1U);
  EXPECT_EQ(well.got.size(), 1U);
  EXPECT_EQ(table.counters().failed, 1U);
  EXPECT_EQ(table.counters().refused, 1U);
  EXPECT_EQ(table.counters().delivered, 1U);
}

TEST(TopicTable, PublishWithinDeliveryReachesAllOnce) {
  TopicTable table;
  std::vector<Listener> all(4);
  for (Listener& one : all) table.subscribe(kHeads, one);
  all[1].then = [&] {
    all[1].then = nullptr;
    table.publish(kHeads, frame("inner"));
  };
  table.publish(kHeads, frame("outer"));
  for (const Listener& one : all) {
    EXPECT_EQ(std::ranges::count(one.got, "inner"), 1);
    EXPECT_EQ(std::ranges::count(one.got, "outer"), 1);
  }
}

// Random subscribes, unsubscribes and publishes, some during a delivery, compared with the simplest model.
class TopicTableHistory : public testing::TestWithParam<std::uint64_t> {};

TEST_P(TopicTableHistory, EqualsTheModel) {
  SeededRandom random(GetParam());
  TopicTable table;
  struct Member {
    Listener listener;
    TopicKey key;
    Ticket ticket;
    bool in = false;
    std::size_t due = 0;
  };
  std::vector<std::unique_ptr<Member>> members;
  for (int i = 0; i < 40; ++i) members.push_back(std::make_unique<Member>());
  const auto toggle = [&](Member& member) {
    if (member.in) {
      EXPECT_TRUE(table.unsubscribe(member.ticket));
    } else {
      member.key = TopicKey{.high = 0, .low = random.below(3)};
      member.ticket = table.subscribe(member.key, member.listener);
    }
    member.in = !member.in;
  };
  for (int step = 0; step < 2000; ++step) {
    Member& member = *members[random.below(members.size())];
    if (random.below(3) != 0) {
      toggle(member);
      continue;
    }
    const TopicKey key{.high = 0, .low = random.below(3)};
    const bool with_leaver = random.below(2) == 0;
    if (with_leaver && member.in && member.key == key) {
      member.listener.then = [&] {
        member.listener.then = nullptr;
        toggle(member);
      };
    }
    std::size_t expected = 0;
    for (const auto& one : members) {
      if (one->in && one->key == key) {
        ++one->due;
        ++expected;
      }
    }
    EXPECT_EQ(table.publish(key, frame("x")), expected);
    member.listener.then = nullptr;
  }
  std::size_t in = 0;
  for (const auto& one : members) {
    EXPECT_EQ(one->listener.got.size(), one->due);
    in += one->in ? 1 : 0;
  }
  EXPECT_EQ(table.subscriptions(), in);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TopicTableHistory, testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace fanfare::pubsub
