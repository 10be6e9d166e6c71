// The relay with a broker that answers, and does not store what is published.

#include <gtest/gtest.h>
#include <nats/nats.h>

#include <functional>
#include <string>
#include <vector>

#include "relay/operator_for_tests.h"
#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

TEST(NatsRefusals, ReadersOfATopicThatTakesNoMoreAreToldUntilItDoes) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  Instance b(options_for({server.url()}));
  a.open("t");
  b.open("t");
  a.publish("t", "before");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1) && b.sink.has("t", 1); }));
  const Operator person(server);
  person.change("fanfare_t", [](jsStreamConfig& config) { config.MaxMsgSize = 10; });
  EXPECT_TRUE(a.publish("t", "more than ten bytes"));
  ASSERT_TRUE(eventually([&] { return !a.sink.is_up(); }));
  // Only another event shows whether it is stored.
  EXPECT_TRUE(a.relay->takes_while_down());
  // The other one has not tried. It may be able to.
  EXPECT_TRUE(b.sink.is_up());
  EXPECT_TRUE(b.publish("t", "more than ten bytes"));
  ASSERT_TRUE(eventually([&] { return !b.sink.is_up(); }));
  person.change("fanfare_t", [](jsStreamConfig& config) { config.MaxMsgSize = -1; });
  EXPECT_TRUE(a.publish("t", "stored again"));
  // For the one that published it, and for the one that only sees it come.
  ASSERT_TRUE(eventually([&] { return a.sink.is_up() && b.sink.is_up(); }));
  EXPECT_EQ(b.sink.topic("t").texts, (std::vector<std::string>{"before", "stored again"}));
}

TEST(NatsRefusals, WhoeverDoesNotReadTheTopicIsNotDown) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  a.publish("t", "1");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  const Operator person(server);
  person.change("fanfare_t", [](jsStreamConfig& config) { config.MaxMsgSize = 1; });
  a.publish("t", "long");
  ASSERT_TRUE(eventually([&] { return !a.sink.is_up(); }));
  a.relay->close("t", UINT64_MAX);
  EXPECT_TRUE(eventually([&] { return a.sink.is_up(); }));
}

// Another event in this place is how two publishers take turns.
TEST(NatsRefusals, AnEventThatCameTooLateIsNoRefusal) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  a.publish("t", "1");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  Position behind = a.sink.topic("t").at;
  behind.offset = 0;
  EXPECT_TRUE(a.relay->publish("t", SharedBytes(as_bytes("2")), a.receipts.next(), behind));
  ASSERT_TRUE(eventually([&] { return a.receipts.all().size() == 2; }));
  EXPECT_FALSE(a.receipts.all().back());
  EXPECT_EQ(a.sink.times_down(), 0);
}

const std::string kMayNotPublish = ", permissions: { publish: { deny: \"fanfare.t.*\" } }";

std::string users(const std::string& rights_of_fan) {
  return "authorization { users: [ { user: fan, password: fare" + rights_of_fan +
         " }, { user: other, password: fare } ] }";
}

NatsOptions options_of(const std::string& user, const NatsServer& server) {
  NatsOptions options = options_for({server.url()});
  options.user = user;
  options.password = "fare";
  return options;
}

// To what the user may not publish there is no answer.
TEST(NatsRefusals, ReadersOfATopicWhoseEventsGetNoAnswerAreTold) {
  NatsServer server(users(kMayNotPublish));
  Instance a(options_of("fan", server));
  Instance b(options_of("other", server));
  b.open("t");
  a.open("t");
  EXPECT_TRUE(a.publish("t", "denied"));
  ASSERT_TRUE(eventually([&] { return !a.sink.is_up(); }));
  EXPECT_TRUE(b.sink.is_up());
  EXPECT_TRUE(b.publish("t", "allowed"));
  ASSERT_TRUE(eventually([&] { return a.sink.is_up() && a.sink.has("t", 1); }));
  // Its own event is still without an answer, but nobody waits for that one.
  EXPECT_TRUE(b.publish("t", "allowed"));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2); }));
  EXPECT_EQ(a.sink.times_down(), 1);
}

// It gives its events up sooner than the broker is expected to answer.
TEST(NatsRefusals, ReadersOfATopicWhoseEventsGetNoAnswerAreToldWhateverThePublishTimeout) {
  NatsServer server(users(kMayNotPublish));
  NatsOptions options = options_of("fan", server);
  options.publish_timeout = std::chrono::milliseconds(500);
  Instance a(options);
  a.open("t");
  EXPECT_TRUE(a.publish("t", "denied"));
  ASSERT_TRUE(eventually([&] { return a.receipts.all().size() == 1; }));
  ASSERT_TRUE(eventually([&] { return !a.sink.is_up(); }));
}

// Its event was given up by then, and nobody publishes another one.
TEST(NatsRefusals, ATopicWhoseEventsAreAnsweredAgainGoesOnWithoutAnotherEvent) {
  NatsServer server(users(kMayNotPublish));
  NatsOptions options = options_of("fan", server);
  options.publish_timeout = std::chrono::seconds(4);
  Instance a(options);
  a.open("t");
  EXPECT_TRUE(a.publish("t", "denied"));
  ASSERT_TRUE(eventually([&] { return a.receipts.all().size() == 1; }));
  EXPECT_FALSE(a.sink.is_up());
  server.kill();
  server.set_more(users(""));
  server.start();
  ASSERT_TRUE(eventually([&] { return a.sink.is_up(); }));
  // What was asked with is not stored.
  EXPECT_TRUE(a.publish("t", "allowed"));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  EXPECT_EQ(a.sink.topic("t").at.offset, 1U);
  EXPECT_EQ(a.sink.times_down(), 1);
}

}  // namespace
}  // namespace fanfare::relay
