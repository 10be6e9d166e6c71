// The relay with a broker that has lost events, or a whole stream.

#include <gtest/gtest.h>
#include <nats/nats.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "relay/jet_stream.h"
#include "relay/operator_for_tests.h"
#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

using Texts = std::vector<std::string>;

// As it is now, with everything on disk. The broker is restarted.
std::filesystem::path copy_of_data(NatsServer& server) {
  server.kill();
  const auto copy = server.folder() / "copy";
  std::filesystem::copy(server.data(), copy, std::filesystem::copy_options::recursive);
  server.start();
  return copy;
}

TEST(NatsRollback, AStreamThatIsDeletedBeginsAnotherEpoch) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  Instance b(options_for({server.url()}));
  a.open("t");
  b.open("t");
  a.publish("t", "old");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1) && b.sink.has("t", 1); }));
  const Position before = a.sink.topic("t").at;
  Operator(server).delete_stream("fanfare_t");
  // The next event finds no stream. It is stored once there is one again.
  ASSERT_TRUE(eventually([&] { return a.publish("t", "new"); }));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2) && b.sink.has("t", 2); }));
  EXPECT_EQ(a.sink.topic("t").texts, (Texts{"old", "new"}));
  EXPECT_NE(a.sink.topic("t").at.epoch, before.epoch);
  EXPECT_EQ(a.sink.topic("t").at.offset, 1U);
  EXPECT_EQ(a.sink.topic("t").at, b.sink.topic("t").at);
}

// The broker may still be removing the files of the old one, and would remove those of a new one with them.
TEST(NatsRollback, AStreamThatIsDeletedIsCreatedAgainAfterAPause) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  JetStream jet_stream(a.relay->link(), a.options);
  const StreamAddress address{.name = "fanfare", .token = "t"};
  ASSERT_TRUE(eventually([&] { return a.sink.is_up(); }));
  ASSERT_TRUE(jet_stream.open(address, 1));
  Operator(server).delete_stream("fanfare_t");
  const auto opened = jet_stream.open(address, 2);
  ASSERT_FALSE(opened);
  EXPECT_TRUE(opened.error().ends_with(KnownStreams::kIsGone)) << opened.error();
  std::uint64_t epoch = 0;
  ASSERT_TRUE(
      eventually([&] { return (epoch = jet_stream.open(address, 3).value_or(StreamState()).epoch) != 0; }));
  EXPECT_EQ(epoch, 3U);
}

// What nats-server 2.9 does when a stream is created while it removes the files of another one with this name.
void remove_files_of_stream(const NatsServer& server, const std::string& stream) {
  ASSERT_GT(std::filesystem::remove_all(server.data() / "jetstream" / "$G" / "streams" / stream), 1U);
}

TEST(NatsRollback, AStreamThatStandsStillIsNamedAndItsSubscribersAreTold) {
  NatsServer server;
  testing::internal::CaptureStderr();
  {
    Instance a(options_for({server.url()}));
    a.open("t");
    remove_files_of_stream(server, "fanfare_t");
    EXPECT_TRUE(a.publish("t", "acknowledged"));
    EXPECT_TRUE(eventually([&] { return a.receipts.all().size() == 1 && a.receipts.all().front(); }));
    EXPECT_TRUE(eventually([&] { return !a.sink.is_up(); }));
    EXPECT_EQ(a.relay->counters().stalls, 1U);
    EXPECT_FALSE(a.sink.has("t", 1));
    // As the log advises.
    Operator(server).delete_stream("fanfare_t");
    EXPECT_TRUE(eventually([&] { return a.sink.is_up(); }));
    EXPECT_TRUE(a.publish("t", "delivered"));
    EXPECT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
    EXPECT_EQ(a.sink.topic("t").texts, Texts{"delivered"});
    EXPECT_EQ(a.sink.topic("t").lost.size(), 2U);  // where it began, and where it began again
    EXPECT_EQ(a.relay->counters().stalls, 1U);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("relay_stream_stands_still topic=t sequence=1 reason=\"the broker has acknowledged this "
                     "event and lost it\" advice=\"delete the stream fanfare_t,"),
            std::string::npos)
      << log;
}

// It gets no messages.
TEST(NatsRollback, AStreamThatStandsStillIsNoticedByWhoeverOnlyPublishes) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  const auto has_receipts = [&](std::size_t count) { return a.receipts.all().size() == count; };
  Instance(options_for({server.url()})).open("t");
  remove_files_of_stream(server, "fanfare_t");
  ASSERT_TRUE(a.publish("t", "acknowledged"));
  ASSERT_TRUE(eventually([&] { return has_receipts(1); }));
  ASSERT_TRUE(a.receipts.all().back());
  EXPECT_TRUE(eventually([&] { return !a.sink.is_up(); }));
  EXPECT_EQ(a.relay->counters().stalls, 1U);
  Operator(server).delete_stream("fanfare_t");
  EXPECT_TRUE(eventually([&] { return a.sink.is_up(); }));
  ASSERT_TRUE(a.publish("t", "new"));
  ASSERT_TRUE(eventually([&] { return has_receipts(2); }));
  ASSERT_TRUE(a.receipts.all().back());
  EXPECT_EQ(a.receipts.all().back()->offset, 1U);
  EXPECT_EQ(a.relay->counters().stalls, 1U);
}

// It gets no acknowledgements, and its consumer is of before the fault.
TEST(NatsRollback, AStreamThatStandsStillIsNoticedByWhoeverOnlyReads) {
  NatsServer server;
  Instance reader(options_for({server.url()}));
  reader.open("t");
  remove_files_of_stream(server, "fanfare_t");
  {
    Instance publisher(options_for({server.url()}));
    ASSERT_TRUE(publisher.publish("t", "acknowledged"));
    ASSERT_TRUE(eventually([&] { return publisher.receipts.all().size() == 1; }));
    ASSERT_TRUE(publisher.receipts.all().front());
  }
  EXPECT_TRUE(eventually([&] { return !reader.sink.is_up(); }));
  EXPECT_EQ(reader.relay->counters().stalls, 1U);
  Operator(server).delete_stream("fanfare_t");
  EXPECT_TRUE(eventually([&] { return reader.sink.is_up(); }));
}

TEST(NatsRollback, AnEventThatSomebodyHasDeletedIsLostAndNoStandstill) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  for (const char* text : {"1", "2", "3"}) a.publish("t", text);
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 3); }));
  const std::uint64_t epoch = a.sink.topic("t").at.epoch;
  Operator(server).delete_message("fanfare_t", 2);
  Operator(server).delete_message("fanfare_t", 3);
  Instance late(options_for({server.url()}));
  late.open("t");
  EXPECT_EQ(late.sink.topic("t").texts, Texts{"1"});
  EXPECT_EQ(late.sink.topic("t").lost.back(), (Position{epoch, 3}));
  ASSERT_TRUE(late.publish("t", "4"));
  EXPECT_TRUE(eventually([&] { return a.sink.has("t", 4) && late.sink.has("t", 2); }));
  EXPECT_EQ(late.relay->counters().stalls, 0U);
}

// Its next consumer cannot be compared with it.
TEST(NatsRollback, WhoeverHasReadAnEventThatSomebodyHasDeletedGoesOnBehindIt) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  a.publish("t", "1");
  a.publish("t", "2");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2); }));
  const Position before = a.sink.topic("t").at;
  Operator(server).delete_message("fanfare_t", 2);
  // Longer than signs of life may be missing: it makes another consumer.
  server.pause();
  ASSERT_TRUE(eventually([&] { return !a.sink.is_up(); }));
  server.go_on();
  EXPECT_TRUE(eventually([&] { return a.sink.is_up(); }));
  ASSERT_TRUE(a.publish("t", "3", before));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 3); }));
  EXPECT_EQ(a.sink.topic("t").at, (Position{before.epoch, 3}));
  EXPECT_EQ(a.sink.topic("t").lost.size(), 1U);  // where it began
  EXPECT_EQ(a.relay->counters().stalls, 0U);
}

TEST(NatsRollback, ABrokerThatComesBackWithAnOlderStreamBeginsAnotherEpoch) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  Instance b(options_for({server.url()}));
  a.open("t");
  b.open("t");
  a.publish("t", "1");
  a.publish("t", "2");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2) && b.sink.has("t", 2); }));
  const auto copy = copy_of_data(server);
  ASSERT_TRUE(eventually([&] { return a.sink.is_up() && b.sink.is_up(); }));
  a.publish("t", "3");
  a.publish("t", "4");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 4) && b.sink.has("t", 4); }));
  const Position before = a.sink.topic("t").at;
  server.kill();
  std::filesystem::remove_all(server.data());
  std::filesystem::rename(copy, server.data());
  server.start();
  ASSERT_TRUE(eventually([&] { return a.publish("t", "again"); }));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 5) && b.sink.has("t", 5); }));
  // No position that a client has is given to another event.
  EXPECT_NE(a.sink.topic("t").at.epoch, before.epoch);
  EXPECT_EQ(a.sink.topic("t").at, b.sink.topic("t").at);
  EXPECT_EQ(b.sink.topic("t").texts, (Texts{"1", "2", "3", "4", "again"}));
}

// Another instance publishes before the one that knows the lost end is back: the stream is as long as it was.
TEST(NatsRollback, APlaceThatTheBrokerGaveToAnotherEventIsNoticedByWhoeverHadTheFirstOne) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  a.publish("t", "1");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  const auto copy = copy_of_data(server);
  a.publish("t", "2");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2) && a.receipts.all().size() == 2; }));
  const Position before = a.sink.topic("t").at;
  server.kill();
  {
    NatsServer elsewhere;  // where it does not look for it
    elsewhere.kill();
    std::filesystem::remove_all(elsewhere.data());
    std::filesystem::rename(copy, elsewhere.data());
    elsewhere.start();
    Instance b(options_for({elsewhere.url()}));
    b.open("t");
    b.publish("t", "other 2");
    ASSERT_TRUE(eventually([&] { return b.sink.has("t", 2); }));
    EXPECT_EQ(b.sink.topic("t").at, before);
    elsewhere.kill();
    std::filesystem::remove_all(server.data());
    std::filesystem::copy(elsewhere.data(), server.data(), std::filesystem::copy_options::recursive);
  }
  // It waits while the broker is away. Nobody may take the other event for the one that it follows.
  ASSERT_TRUE(a.publish("t", "behind 2", before));
  server.start();
  ASSERT_TRUE(eventually([&] { return a.receipts.all().size() == 3; }));
  EXPECT_FALSE(a.receipts.all().back());
  ASSERT_TRUE(eventually([&] { return a.publish("t", "3"); }));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 3); }));
  EXPECT_EQ(a.sink.topic("t").texts, (Texts{"1", "2", "3"}));
  EXPECT_NE(a.sink.topic("t").at.epoch, before.epoch);
  Instance late(options_for({server.url()}));
  late.sink.set_at("t", before);
  late.open("t", {.after = before, .recent_max = SIZE_MAX});
  ASSERT_TRUE(eventually([&] { return late.sink.has("t", 1); }));
  EXPECT_EQ(late.sink.topic("t").texts, Texts{"3"});
  EXPECT_EQ(late.sink.topic("t").at, a.sink.topic("t").at);
}

// The same for a topic that nobody reads at the moment.
TEST(NatsRollback, ATopicThatIsReadAgainIsComparedWithWhatWasReadBefore) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  a.publish("t", "1");
  a.publish("t", "2");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2); }));
  const Position before = a.sink.topic("t").at;
  a.relay->close("t", 0);
  ASSERT_TRUE(eventually([&] { return a.relay->counters().topics == 0; }));
  Operator(server).delete_stream("fanfare_t");
  {
    // As if it had lost the last event, and another instance had published.
    JetStream jet_stream(a.relay->link(), a.options);
    ASSERT_TRUE(jet_stream.open({.name = "fanfare", .token = "t"}, before.epoch));
  }
  Instance b(options_for({server.url()}));
  b.open("t");
  b.publish("t", "1");
  b.publish("t", "other 2");
  b.publish("t", "3");
  ASSERT_TRUE(eventually([&] { return b.sink.has("t", 3); }));
  a.open("t", {.after = before, .recent_max = SIZE_MAX, .opening = 1});
  ASSERT_TRUE(eventually([&] { return a.sink.topic("t").lost.size() == 2; }));
  EXPECT_EQ(a.sink.topic("t").texts, (Texts{"1", "2"}));
  EXPECT_NE(a.sink.topic("t").at.epoch, before.epoch);
  EXPECT_EQ(a.sink.topic("t").at.offset, 3U);
}

// Its subscribers get one notice for everything they have lost.
// As an instance does when the broker has an older state. The new one is the next number.
void end_epoch(Instance& instance) {
  const std::uint64_t epoch = instance.sink.topic("t").at.epoch;
  JetStream jet_stream(instance.relay->link(), instance.options);
  ASSERT_TRUE(jet_stream.change_epoch({.name = "fanfare", .token = "t"}, epoch, epoch + 1));
}

TEST(NatsRollback, WhoeverComesLateToAnotherEpochLearnsOfOneLoss) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  for (const char* text : {"1", "2", "3"}) a.publish("t", text);
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 3); }));
  const Position before = a.sink.topic("t").at;
  end_epoch(a);
  ASSERT_TRUE(eventually([&] { return a.publish("t", "again"); }));
  Instance late(options_for({server.url()}));
  late.sink.set_at("t", before);
  late.open("t", {.after = before, .recent_max = SIZE_MAX});
  ASSERT_TRUE(eventually([&] { return late.sink.has("t", 1); }));
  EXPECT_EQ(late.sink.topic("t").texts, Texts{"again"});
  EXPECT_EQ(late.sink.topic("t").lost, (std::vector<Position>{{before.epoch + 1, 3}}));
}

TEST(NatsRollback, AnEpochThatEndsBeforeAnythingOfItWasReadEndsForItsReaders) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  const Position before = a.sink.topic("t").at;
  end_epoch(a);
  Instance b(options_for({server.url()}));
  b.open("t");
  EXPECT_TRUE(b.publish("t", "first"));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  EXPECT_EQ(a.sink.topic("t").lost, (std::vector<Position>{before, {before.epoch + 1, 0}}));
}

// By a mistake of somebody who may publish everything.
TEST(NatsRollback, AMessageOfSomebodyElseIsAPlaceThatIsLostAndTheTopicGoesOn) {
  NatsServer server;
  const Operator person(server);
  Instance a(options_for({server.url()}));
  a.open("t");
  a.publish("t", "1");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  const Position before = a.sink.topic("t").at;
  EXPECT_EQ(js_Publish(nullptr, person.context(), "fanfare.t.0", "x", 1, nullptr, nullptr), NATS_OK);
  ASSERT_TRUE(eventually([&] { return a.sink.topic("t").lost.size() == 2; }));
  const Position behind{before.epoch, before.offset + 1};
  EXPECT_EQ(a.sink.topic("t").at, behind);
  EXPECT_TRUE(a.publish("t", "2", behind));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2); }));
  EXPECT_EQ(a.sink.times_down(), 0);
  Instance late(options_for({server.url()}));
  late.open("t");
  EXPECT_EQ(late.sink.topic("t").texts, (Texts{"1", "2"}));
}

// Whoever has seen the epoch end ends it again: its positions would be given to other events.
TEST(NatsRollback, ABrokerThatComesBackTwiceWithTheSameOldStreamBeginsAnotherEpochEachTime) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  a.publish("t", "1");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  const auto copy = copy_of_data(server);
  ASSERT_TRUE(eventually([&] { return a.sink.is_up(); }));
  a.publish("t", "2");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2); }));
  std::set<std::uint64_t> epochs{a.sink.topic("t").at.epoch};
  for (std::size_t time = 1; time <= 3; ++time) {
    server.kill();
    std::filesystem::remove_all(server.data());
    std::filesystem::copy(copy, server.data(), std::filesystem::copy_options::recursive);
    server.start();
    ASSERT_TRUE(eventually([&] { return a.publish("t", "again"); }));
    ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2 + time); }));
    EXPECT_TRUE(epochs.insert(a.sink.topic("t").at.epoch).second) << time;
  }
}

// Nobody would ask the broker by itself for a quarter of an hour.
NatsOptions with_slow_heartbeats(NatsOptions options) {
  options.heartbeat = 60s;
  return options;
}

TEST(NatsRollback, WhoeverEndsAnEpochTellsTheOthersAtOnce) {
  NatsServer server;
  Instance a(with_slow_heartbeats(options_for({server.url()})));
  a.open("t");
  a.publish("t", "1");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  const Position before = a.sink.topic("t").at;
  Instance b(with_slow_heartbeats(options_for({server.url()})));
  const Position lost{.epoch = before.epoch, .offset = before.offset + 4};
  b.sink.set_at("t", lost);
  b.open("t", {.after = lost, .recent_max = SIZE_MAX});
  const Position begin = b.sink.topic("t").at;
  EXPECT_NE(begin.epoch, before.epoch);
  EXPECT_TRUE(eventually([&] { return a.sink.topic("t").lost.size() == 2; }));
  EXPECT_EQ(a.sink.topic("t").at, begin);
}

TEST(NatsRollback, AWrongNoticeOfAnotherEpochChangesNothing) {
  NatsServer server;
  Instance a(with_slow_heartbeats(options_for({server.url()})));
  a.open("t");
  const std::uint64_t epoch = a.sink.topic("t").at.epoch;
  for (const auto& [token, told] : std::vector<std::pair<std::string, std::uint64_t>>{
           {"t", epoch + 7}, {"t", epoch}, {"t", 0}, {"other", epoch + 1}}) {
    EXPECT_TRUE(a.relay->link().publish(epoch_notice_of("fanfare", token, told), {}, {}, {}));
  }
  EXPECT_TRUE(a.publish("t", "1"));
  EXPECT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  EXPECT_EQ(a.sink.topic("t").lost.size(), 1U);  // where it began
  EXPECT_EQ(a.sink.times_down(), 0);
}

// Its subscribers may stand at places that are gone.
TEST(NatsRollback, AnotherEpochIsNoticedThoughNothingIsPublished) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  a.publish("t", "1");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  const Position before = a.sink.topic("t").at;
  end_epoch(a);
  ASSERT_TRUE(eventually([&] { return a.sink.topic("t").lost.size() == 2; }));
  EXPECT_EQ(a.sink.topic("t").lost.back(), (Position{before.epoch + 1, 1}));
}

}  // namespace
}  // namespace fanfare::relay
