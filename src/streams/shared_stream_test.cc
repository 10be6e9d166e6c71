// A stream that two instances share: one polls, the other takes over; a client goes on with either.

#include <gtest/gtest.h>

#include "streams/record.h"
#include "streams/world_for_tests.h"

namespace fanfare::streams {
namespace {

using std::chrono::seconds;

class SharedStreamTest : public testing::Test {
 protected:
  // An instance with its poller.
  struct Side {
    Side(pubsub::FakeBroker& broker, const StreamSpec& spec, bool reads_on_demand = false)
        : relay(broker), world({}, demanding(relay, reads_on_demand)), client(world) {
      stream = world.add(
          "s", {.on_change = spec.on_change, .shared = true, .new_only = spec.new_only.has_value()});
      poller = std::make_unique<Poller>(spec, *stream, node, world.loops.clock);
      relay.set_connected(true);
      settle();
    }
    static pubsub::FakeBroker::Instance* demanding(pubsub::FakeBroker::Instance& relay, bool on_demand) {
      relay.on_demand = on_demand;
      return &relay;
    }
    // Everything that is with the broker comes.
    void settle() {
      world.loops.run_all();
      while (relay.step_in("stream:s") || relay.step_read()) world.loops.run_all();
      world.loops.run_all();
    }
    // One poll: what was published goes to the broker.
    void poll(std::string result) {
      world.loops.clock.advance(seconds(2));
      poller->wake();
      node.answer(std::move(result));
      send();
    }
    void send() {
      while (relay.step_out()) {
        settle();
      }
      settle();
    }
    std::string say(std::string_view message) { return client.say(message); }

    pubsub::FakeBroker::Instance relay;
    World world;
    TestNode node;
    std::shared_ptr<Stream> stream;
    std::unique_ptr<Poller> poller;
    TestClient client;
  };

  static StreamSpec spec_of() {
    return {.name = "s",
            .interval = seconds(2),
            .calls = {{.name = "r", .method = "m"}},
            .fields = {{.name = "n", .pointer = "/r"}}};
  }
  static StreamSpec new_entries_spec() {
    StreamSpec spec = spec_of();
    spec.fields = {{.name = "list", .pointer = "/r"}};
    spec.new_only = NewOnly{.list = "list", .key = "id"};
    return spec;
  }

  pubsub::FakeBroker broker{5};
};

std::string data_of(const std::string& messages) {
  std::string found;
  for (std::size_t at = messages.find("\"data\":"); at != std::string::npos;
       at = messages.find("\"data\":", at + 1)) {
    found += messages.substr(at + 7, messages.find(",\"timestamp\"", at) - at - 7) + " ";
  }
  return found;
}

TEST_F(SharedStreamTest, BothInstancesGetWhatOneHasPolledAtTheSamePositions) {
  const StreamSpec spec = spec_of();
  Side a(broker, spec);
  Side b(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s","position":true})");
  b.say(R"({"type":"subscribe","stream":"s","position":true})");
  a.poll("1");
  a.poll("2");
  b.settle();
  const std::string got = a.client.take();
  EXPECT_EQ(data_of(got), R"({"n":1} {"n":2} )");
  EXPECT_EQ(b.client.take(), got);
  EXPECT_NE(got.find("\"offset\":2"), std::string::npos) << got;
}

TEST_F(SharedStreamTest, AClientGoesOnWithTheOtherInstanceEvenIfThatOneIsBehind) {
  const StreamSpec spec = spec_of();
  Side a(broker, spec);
  Side b(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s","position":true})");
  for (const char* n : {"1", "2", "3"}) a.poll(n);
  b.relay.step_in("stream:s");
  b.world.loops.run_all();
  // It has seen two of them at the first instance.
  const std::string answer = b.say(R"({"type":"subscribe","stream":"s","since":{"epoch":5,"offset":2}})");
  EXPECT_NE(answer.find("\"recovered\":true"), std::string::npos) << answer;
  b.settle();
  EXPECT_EQ(data_of(b.client.take()), R"({"n":3} )");
}

TEST_F(SharedStreamTest, WhoeverTakesOverGoesOnWithTheSerialsAndPatches) {
  const StreamSpec spec = spec_of();
  Side a(broker, spec);
  Side b(broker, spec);
  b.say(R"({"type":"subscribe","stream":"s"})");
  a.say(R"({"type":"subscribe","stream":"s"})");
  a.poll("1");
  b.settle();
  b.poll("2");
  a.settle();
  a.poll("3");
  b.settle();
  EXPECT_EQ(data_of(b.client.take()), R"({"n":1} {"n":2} {"n":3} )");
  std::uint64_t serial = 0;
  for (const SharedBytes& record : broker.streams["stream:s"])
    EXPECT_EQ(read_record(record).serial, ++serial);
  EXPECT_EQ(serial, 3U);
}

TEST_F(SharedStreamTest, OfTwoThatBelieveTheyMayPollOneIsRefusedAndNothingIsTwice) {
  const StreamSpec spec = new_entries_spec();
  Side a(broker, spec);
  Side b(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s"})");
  b.say(R"({"type":"subscribe","stream":"s"})");
  a.poll(R"([{"id":1}])");
  b.settle();
  // Both have polled when neither knows of the other's value.
  for (Side* side : {&a, &b}) {
    side->world.loops.clock.advance(seconds(2));
    side->poller->wake();
    side->node.answer(R"([{"id":1},{"id":2}])");
  }
  a.send();
  b.send();
  b.poll(R"([{"id":1},{"id":2},{"id":3}])");
  a.settle();
  EXPECT_EQ(data_of(a.client.take()), R"({"list":[{"id":1}]} {"list":[{"id":2}]} {"list":[{"id":3}]} )");
  EXPECT_EQ(broker.streams["stream:s"].size(), 3U);
}

TEST_F(SharedStreamTest, AValueThatWasRefusedIsPublishedByTheNextPoll) {
  const StreamSpec spec = new_entries_spec();
  Side a(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s"})");
  a.poll(R"([{"id":1}])");
  a.world.loops.clock.advance(seconds(2));
  a.poller->wake();
  a.node.answer(R"([{"id":1},{"id":2}])");
  a.relay.set_connected(false);  // nobody knows whether it was stored; it was not
  a.relay.set_connected(true);
  a.world.loops.run_all();
  a.poll(R"([{"id":1},{"id":2}])");
  EXPECT_EQ(data_of(a.client.take()), R"({"list":[{"id":1}]} {"list":[{"id":2}]} )");
}

TEST_F(SharedStreamTest, ClientsAreToldWhileTheBrokerIsAway) {
  const StreamSpec spec = spec_of();
  Side a(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s"})");
  a.relay.set_connected(false);
  a.world.loops.run_all();
  EXPECT_NE(a.client.take().find(
                R"("state":"interrupted","reason":"the connection to the other servers was lost")"),
            std::string::npos);
  TestClient late(a.world, 1);
  const std::string answer = late.say(R"({"type":"subscribe","stream":"s"})");
  EXPECT_LT(answer.find("subscribed"), answer.find("interrupted"));
  a.relay.set_connected(true);
  a.world.loops.run_all();
  EXPECT_NE(a.client.take().find(R"("state":"restored")"), std::string::npos);
}

// Then nothing is known, whatever the broker says.
TEST_F(SharedStreamTest, ABrokerThatIsBackDoesNotRestoreAStreamWhoseNodeIsAway) {
  const StreamSpec spec = spec_of();
  Side a(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s"})");
  a.poll("not JSON");
  const std::string away = a.client.take();
  const std::string reason = a.stream->reason();
  ASSERT_FALSE(reason.empty());
  EXPECT_NE(away.find(reason), std::string::npos) << away;
  a.relay.set_connected(false);
  a.world.loops.run_all();
  EXPECT_NE(a.client.take().find("the connection to the other servers was lost"), std::string::npos);
  a.relay.set_connected(true);
  a.world.loops.run_all();
  const std::string back = a.client.take();
  EXPECT_EQ(back.find("restored"), std::string::npos) << back;
  EXPECT_NE(back.find(reason), std::string::npos) << back;
  a.poll("1");
  EXPECT_NE(a.client.take().find(R"("state":"restored")"), std::string::npos);
}

// The hub knows it before its loops do.
TEST_F(SharedStreamTest, WhoeverSubscribesWhileTheBrokerComesBackIsNotToldThatItDid) {
  const StreamSpec spec = spec_of();
  Side a(broker, spec, true);
  a.relay.set_connected(false);
  a.settle();
  a.relay.set_connected(true);
  a.say(R"({"type":"subscribe","stream":"s"})");
  a.settle();
  const std::string got = a.client.take();
  EXPECT_NE(got.find("subscribed"), std::string::npos) << got;
  EXPECT_EQ(got.find("notice"), std::string::npos) << got;
}

TEST_F(SharedStreamTest, WhoeverSubscribesFirstIsAnsweredWhenTheBrokerHasSaidWhatThereIs) {
  const StreamSpec spec = spec_of();
  Side a(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s"})");
  for (const char* n : {"1", "2", "3"}) a.poll(n);
  Side b(broker, spec, true);
  EXPECT_EQ(b.say(R"({"type":"subscribe","stream":"s","position":true})"), "");
  b.settle();
  const std::string got = b.client.take();
  EXPECT_NE(got.find(R"("position":{"epoch":5,"offset":2})"), std::string::npos) << got;
  EXPECT_EQ(data_of(got), R"({"n":3} )");
  EXPECT_LT(got.find("subscribed"), got.find("\"data\""));
  // It can poll as well.
  b.poll("4");
  a.settle();
  EXPECT_EQ(data_of(b.client.take()), R"({"n":4} )");
  EXPECT_EQ(read_record(broker.streams["stream:s"].back()).serial, 4U);
}

TEST_F(SharedStreamTest, WhoeverSubscribesFirstMayAskForTheHistoryOrForAPosition) {
  const StreamSpec spec = spec_of();
  Side a(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s"})");
  for (const char* n : {"1", "2", "3", "4"}) a.poll(n);
  Side b(broker, spec, true);
  b.say(R"({"type":"subscribe","stream":"s","history":2})");
  b.settle();
  const std::string got = b.client.take();
  EXPECT_NE(got.find(R"("history":[)"), std::string::npos) << got;
  EXPECT_NE(got.find(R"({"n":3})"), std::string::npos) << got;
  EXPECT_EQ(got.find(R"({"n":2})"), std::string::npos) << got;
  Side c(broker, spec, true);
  c.say(R"({"type":"subscribe","stream":"s","since":{"epoch":5,"offset":2}})");
  c.settle();
  const std::string resumed = c.client.take();
  EXPECT_NE(resumed.find("\"recovered\":true"), std::string::npos) << resumed;
  EXPECT_EQ(data_of(resumed), R"({"n":3} {"n":4} )");
}

TEST_F(SharedStreamTest, WhoeverSubscribesWhileTheBrokerIsAwayIsAnsweredAndGetsTheRestLater) {
  const StreamSpec spec = spec_of();
  Side a(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s"})");
  for (const char* n : {"1", "2", "3"}) a.poll(n);
  Side b(broker, spec, true);
  TestClient waits(b.world, 1);
  EXPECT_EQ(waits.say(R"({"type":"subscribe","stream":"s","since":{"epoch":4,"offset":1}})"), "");
  b.relay.set_connected(false);
  b.world.loops.run_all();
  const std::string told = waits.take();
  EXPECT_LT(told.find("subscribed"), told.find("interrupted")) << told;
  const std::string answer = b.say(R"({"type":"subscribe","stream":"s"})");
  EXPECT_LT(answer.find("subscribed"), answer.find("interrupted")) << answer;
  b.relay.set_connected(true);
  b.settle();
  const std::string got = b.client.take();
  EXPECT_EQ(data_of(got), R"({"n":3} )") << got;
  EXPECT_EQ(got.find("subscribed"), std::string::npos) << got;
  // Its position was of another epoch, which could not be said in the answer.
  const std::string late = waits.take();
  EXPECT_NE(late.find("\"missed\""), std::string::npos) << late;
  EXPECT_EQ(data_of(late), R"({"n":1} {"n":2} {"n":3} )");
  // Whoever asked for positions learns the one it is at before anything follows.
  Side d(broker, spec, true);
  d.relay.set_connected(false);
  const std::string without = d.say(R"({"type":"subscribe","stream":"s","position":true,"id":7})");
  EXPECT_EQ(without.find("position"), std::string::npos) << without;
  d.relay.set_connected(true);
  d.settle();
  const std::string then = d.client.take();
  const std::size_t position =
      then.find(R"({"type":"subscribed","stream":"s","position":{"epoch":5,"offset":2}})");
  EXPECT_LT(position, then.find(R"({"type":"s")")) << then;
  EXPECT_EQ(data_of(then), R"({"n":3} )") << then;
  // And it can unsubscribe while it waits.
  Side c(broker, spec, true);
  c.say(R"({"type":"subscribe","stream":"s"})");
  EXPECT_NE(c.say(R"({"type":"unsubscribe","stream":"s"})").find("unsubscribed"), std::string::npos);
  c.settle();
  EXPECT_EQ(c.client.take(), "");
}

// Subscribers were told that they miss it, and silence would say that nothing has changed.
TEST_F(SharedStreamTest, AValueFollowsTheEndOfAnEpochEvenIfItIsTheSame) {
  StreamSpec spec = spec_of();
  spec.on_change = true;
  Side a(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s","position":true})");
  a.poll("1");
  a.client.take();
  a.poll("1");
  EXPECT_EQ(a.client.take(), "");
  broker.epoch = 6;
  broker.streams["stream:s"].clear();
  a.relay.restart("stream:s");
  a.settle();
  EXPECT_NE(a.client.take().find("\"missed\""), std::string::npos);
  a.poll("1");
  EXPECT_EQ(data_of(a.client.take()), R"({"n":1} )");
  a.poll("1");
  EXPECT_EQ(a.client.take(), "");
}

TEST_F(SharedStreamTest, WhoeverTakesOverKnowsMoreEntriesThanTheHistoryHas) {
  const StreamSpec spec = new_entries_spec();
  Side a(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s"})");
  std::string list;
  for (int id = 1; id <= 400; ++id) {
    list += (list.empty() ? "{\"id\":" : ",{\"id\":") + std::to_string(id) + "}";
    a.poll("[" + list + "]");
  }
  ASSERT_GT(broker.streams["stream:s"].size(), StreamOptions().history_messages);
  Side b(broker, spec, true);
  b.say(R"({"type":"subscribe","stream":"s"})");
  b.settle();
  b.client.take();
  b.poll("[" + list + ",{\"id\":401}]");
  EXPECT_EQ(data_of(b.client.take()), R"({"list":[{"id":401}]} )");
}

TEST_F(SharedStreamTest, NothingIsPolledBeforeTheBrokerHasSaidWhatThereIs) {
  const StreamSpec spec = spec_of();
  Side b(broker, spec, true);
  b.say(R"({"type":"subscribe","stream":"s"})");
  b.poller->wake();
  EXPECT_TRUE(b.node.calls.empty());
  EXPECT_LT(b.poller->next_due(), b.world.loops.clock.now() + spec.interval);
  b.settle();
  b.poll("1");
  EXPECT_EQ(data_of(b.client.take()), R"({"n":1} )");
}

TEST_F(SharedStreamTest, AMessageThatIsNoRecordIsMissingAndHarmsNothing) {
  const StreamSpec spec = spec_of();
  Side a(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s","position":true})");
  broker.streams["stream:s"].push_back(SharedBytes(as_bytes("garbage")));
  a.settle();
  a.poll("1");
  const std::string got = a.client.take();
  EXPECT_NE(got.find("\"missed\""), std::string::npos) << got;
  EXPECT_EQ(data_of(got), R"({"n":1} )");
  EXPECT_FALSE(is_record(SharedBytes(as_bytes("garbage"))));
  EXPECT_FALSE(is_record(SharedBytes(as_bytes(std::string(64, '\xff')))));
  EXPECT_TRUE(is_record(write_record({.data = "1"})));
}

TEST_F(SharedStreamTest, AValueThatTheBrokerDoesNotTakeIsToldAtEveryInstance) {
  const StreamSpec spec = spec_of();
  Side a(broker, spec);
  Side b(broker, spec);
  a.relay.payload_max = 500;
  for (Side* side : {&a, &b}) side->say(R"({"type":"subscribe","stream":"s"})");
  a.poll("1");
  b.settle();
  b.client.take();
  a.poll('"' + std::string(600, 'x') + '"');
  b.settle();
  const std::string got = b.client.take();
  EXPECT_NE(got.find(R"("state":"interrupted","reason":"the value has 608 bytes, and the broker between the )"
                     R"(servers takes 436: its max_payload is too low")"),
            std::string::npos)
      << got;
  a.poll('"' + std::string(600, 'x') + '"');
  b.settle();
  EXPECT_EQ(b.client.take(), "") << "said once";
  EXPECT_EQ(a.relay.wants_of_larger, 2) << "each value is wanted";
  a.poll("2");
  b.settle();
  const std::string after = b.client.take();
  EXPECT_LT(after.find(R"("state":"restored")"), after.find(R"({"n":2})")) << after;
}

// With the patch the record would be too long.
TEST_F(SharedStreamTest, ARecordThatTheBrokerTakesWithoutItsPatchHasNone) {
  StreamSpec spec = spec_of();
  spec.fields = {{.name = "a", .pointer = "/r/a"}, {.name = "b", .pointer = "/r/b"}};
  Side a(broker, spec);
  a.relay.payload_max = 500;
  a.say(R"({"type":"subscribe","stream":"s"})");
  const auto value = [](char changed) {
    return R"({"a":")" + std::string(200, 'x') + R"(","b":")" + std::string(150, changed) + R"("})";
  };
  a.poll(value('1'));
  a.poll(value('2'));
  ASSERT_EQ(broker.streams["stream:s"].size(), 2U);
  const SharedBytes last = broker.streams["stream:s"].back();
  EXPECT_LE(last.size(), 500U);
  EXPECT_EQ(read_record(last).patch, "");
}

// The entries that the node listed only meanwhile are lost.
TEST_F(SharedStreamTest, ATimeWithoutPollsIsToldOnceAtEveryInstance) {
  const StreamSpec spec = new_entries_spec();
  Side a(broker, spec);
  Side b(broker, spec);
  for (Side* side : {&a, &b}) side->say(R"({"type":"subscribe","stream":"s","position":true})");
  a.poll(R"([{"id":1}])");
  b.settle();
  b.client.take();
  for (Side* side : {&a, &b}) {
    side->relay.set_connected(false);
    side->world.loops.clock.advance(seconds(60));
    side->relay.set_connected(true);
    side->settle();
  }
  // Whoever polls first tells it.
  b.poll(R"([{"id":1},{"id":7}])");
  a.settle();
  a.poll(R"([{"id":1},{"id":7}])");
  b.settle();
  for (Side* side : {&a, &b}) {
    const std::string got = side->client.take();
    const std::size_t paused = got.find(R"("state":"paused","from":)");
    ASSERT_NE(paused, std::string::npos) << got;
    EXPECT_EQ(got.find(R"("state":"paused")", paused + 1), std::string::npos) << got;
    EXPECT_LT(paused, got.find(R"({"list":[{"id":7}]})")) << got;
  }
  EXPECT_EQ(b.stream->counters.pauses, 1U);
}

// Silence with polls is no pause, whoever polled.
TEST_F(SharedStreamTest, WhoeverTakesOverKnowsUntilWhenOthersPolled) {
  const StreamSpec spec = new_entries_spec();
  Side a(broker, spec);
  Side b(broker, spec);
  for (Side* side : {&a, &b}) side->say(R"({"type":"subscribe","stream":"s","position":true})");
  a.poll(R"([{"id":1}])");
  for (int i = 0; i < 10; ++i) a.poll(R"([{"id":1}])");
  EXPECT_EQ(broker.streams["stream:s"].size(), 1U);
  b.settle();
  b.world.loops.clock.advance(seconds(20));
  ASSERT_TRUE(a.poller->polled_until().has_value());
  b.poller->note_polled_until(*a.poller->polled_until());
  b.poll(R"([{"id":1}])");
  EXPECT_EQ(broker.streams["stream:s"].size(), 1U);
}

TEST_F(SharedStreamTest, APauseThatTheBrokerRefusedIsToldByALaterPoll) {
  const StreamSpec spec = new_entries_spec();
  Side a(broker, spec);
  a.say(R"({"type":"subscribe","stream":"s","position":true})");
  a.poll(R"([{"id":1}])");
  a.client.take();
  for (int i = 0; i < 10; ++i) {
    a.world.loops.clock.advance(seconds(2));
    a.poller->wake();
    a.node.answer(R"([{"id":1},{"id":2}])");
    EXPECT_TRUE(a.relay.refuse_one());
  }
  a.poll(R"([{"id":3}])");
  const std::string got = a.client.take();
  EXPECT_NE(got.find(R"("state":"paused")"), std::string::npos) << got;
  EXPECT_EQ(data_of(got), R"({"list":[{"id":3}]} )");
}

}  // namespace
}  // namespace fanfare::streams
