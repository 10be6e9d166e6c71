#include "pubsub/hub.h"

#include <gtest/gtest.h>

#include "pubsub/hub_world_for_tests.h"

namespace fanfare::pubsub {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Texts = std::vector<std::string>;

TopicSetup with_history(std::size_t messages) {
  return {.history = {.messages_max = messages}, .encode = with_position};
}

class HubTest : public testing::TestWithParam<std::size_t> {
 public:
  std::shared_ptr<Topic> add(const std::string& name, TopicSetup setup) {
    auto topic = world.hub.add(name, std::move(setup));
    EXPECT_TRUE(topic) << topic.error();
    return *topic;
  }
  void publish(const std::shared_ptr<Topic>& topic, std::string_view events) {
    for (const char event : events) {
      EXPECT_EQ(world.hub.publish(topic, bytes_of({&event, 1})), PublishResult::accepted);
    }
  }
  std::size_t last_loop() { return world.count() - 1; }

  ManualLoops world{GetParam(), {}, 1};
};

TEST_P(HubTest, EveryLoopGetsEveryEventOnceAndTheReceiptSaysWhere) {
  const auto topic = add("t", with_history(10));
  std::vector<std::unique_ptr<Follower>> all;
  for (std::size_t i = 0; i < world.count(); ++i) {
    all.push_back(std::make_unique<Follower>());
    EXPECT_EQ(all.back()->join(world.at(i), topic)->position, (Position{topic->first_epoch, 0}));
  }
  std::optional<Position> told;
  EXPECT_EQ(world.hub.publish(topic, bytes_of("a"), [&](std::optional<Position> where) { told = where; }),
            PublishResult::accepted);
  EXPECT_FALSE(told);
  publish(topic, "bc");
  world.run_all();
  EXPECT_EQ(told, (Position{topic->first_epoch, 1}));
  for (const auto& one : all) EXPECT_EQ(one->got, (Texts{"a", "b", "c"}));
  const TopicMetrics metrics = topic->metrics();
  EXPECT_EQ(metrics.published, 3U);
  EXPECT_EQ(metrics.delivered, 3 * world.count());
  EXPECT_EQ(metrics.subscribers, world.count());
  EXPECT_EQ(metrics.history_messages, 3U);
  EXPECT_EQ(metrics.pending_messages, 0U);
  EXPECT_EQ(metrics.pending_bytes, 0U);
  EXPECT_EQ(world.hub.room().messages(), 0U);
}

TEST_P(HubTest, AJoinWithAPositionGetsTheHistoryAndThenWhatIsLive) {
  const auto topic = add("t", with_history(10));
  publish(topic, "abcd");
  world.run_all();
  Follower late;
  const auto joined = late.join(world.at(last_loop()), topic, {.since = Position{topic->first_epoch, 2}});
  EXPECT_TRUE(joined->recovered);
  EXPECT_FALSE(joined->missing);
  EXPECT_EQ(joined->position.offset, 2U);
  EXPECT_TRUE(late.ready);
  EXPECT_TRUE(late.got.empty());  // not within the call
  publish(topic, "e");
  world.run_all();
  late.read(SIZE_MAX);
  publish(topic, "f");
  world.run_all();
  EXPECT_EQ(late.got, (Texts{"c", "d", "e", "f"}));
  EXPECT_TRUE(late.missed_ranges.empty());
}

TEST_P(HubTest, AtTheOldestOfTheHistoryItIsRecoveredAndOneBeforeItIsNot) {
  const auto topic = add("t", with_history(3));
  publish(topic, "abcde");  // c, d and e are kept
  world.run_all();
  const std::uint64_t epoch = topic->first_epoch;
  Follower whole;
  EXPECT_TRUE(whole.join(world.at(0), topic, {.since = Position{epoch, 2}})->recovered);
  Follower part;
  const auto joined = part.join(world.at(last_loop()), topic, {.since = Position{epoch, 1}});
  EXPECT_FALSE(joined->recovered);
  EXPECT_EQ(joined->missing, (Missed{.after = {epoch, 1}, .until = {epoch, 2}}));
  for (Follower* one : {&whole, &part}) {
    one->read(SIZE_MAX);
    EXPECT_EQ(one->got, (Texts{"c", "d", "e"}));
  }
}

TEST_P(HubTest, WithoutHistoryAllThatCameBetweenIsMissing) {
  const auto topic = add("t", with_history(0));
  publish(topic, "abc");
  world.run_all();
  const std::uint64_t epoch = topic->first_epoch;
  Follower late;
  const auto joined = late.join(world.at(0), topic, {.since = Position{epoch, 1}});
  EXPECT_FALSE(joined->recovered);
  EXPECT_EQ(joined->missing->count(), 2U);
  EXPECT_EQ(joined->position.offset, 3U);
  Follower current;
  EXPECT_TRUE(current.join(world.at(0), topic, {.since = Position{epoch, 3}})->recovered);
}

TEST_P(HubTest, APositionOfAnotherEpochOrOfTheFutureIsNotRecovered) {
  const auto topic = add("t", with_history(10));
  publish(topic, "ab");
  world.run_all();
  const std::uint64_t epoch = topic->first_epoch;
  for (const Position since :
       {Position{epoch + 1, 1}, Position{0, 0}, Position{epoch, 3}, Position{epoch, UINT64_MAX}}) {
    Follower one;
    const auto joined = one.join(world.at(last_loop()), topic, {.since = since});
    EXPECT_FALSE(joined->recovered) << text_of(since);
    EXPECT_FALSE(joined->missing->is_counted()) << text_of(since);
    EXPECT_EQ(joined->position.offset, 2U);
    EXPECT_FALSE(one.is_behind());
  }
}

// The client was on a loop that had seen more.
TEST_P(HubTest, AJoinOnALoopThatIsBehindSkipsWhatTheClientHas) {
  const auto topic = add("t", with_history(10));
  const std::size_t home = world.home(*topic);
  publish(topic, "abc");
  while (world.run_one(home)) {
  }
  for (std::size_t i = 0; i < world.count(); ++i) {
    Follower one;
    const auto joined = one.join(world.at(i), topic, {.since = Position{topic->first_epoch, 2}});
    EXPECT_TRUE(joined->recovered);
    EXPECT_EQ(joined->position.offset, 2U);
    while (world.run_one(i)) {
    }
    one.read(SIZE_MAX);
    EXPECT_EQ(one.got, Texts{"c"});
    EXPECT_FALSE(one.is_behind());
  }
}

TEST_P(HubTest, TheHistoryGrowsOldWithoutAnyonePublishing) {
  const auto topic =
      add("t", {.history = {.messages_max = 10, .age_max = milliseconds(500)}, .encode = with_position});
  publish(topic, "ab");
  world.run_all();
  EXPECT_EQ(topic->metrics().history_messages, 2U);
  world.advance(milliseconds(501));
  Follower late;
  EXPECT_FALSE(late.join(world.at(0), topic, {.since = Position{topic->first_epoch, 0}})->recovered);
  world.advance(seconds(2));
  EXPECT_EQ(topic->metrics().history_messages, 0U);
  EXPECT_EQ(topic->metrics().history_bytes, 0U);
  for (std::size_t i = 0; i < world.count(); ++i) EXPECT_EQ(world.port(i).timers(), 0U);
}

TEST_P(HubTest, AReplayWaitsForItsReaderAndDoesNotCountAgainstIt) {
  const auto topic = add("t", with_history(100));
  publish(topic, "abcdefgh");
  world.run_all();
  Follower slow;
  slow.room = 0;
  slow.whole_bytes_max = 1;  // whatever is published meanwhile would be too much
  ASSERT_TRUE(slow.join(world.at(0), topic, {.since = Position{topic->first_epoch, 0}})->recovered);
  EXPECT_FALSE(slow.ready);  // there is no room
  for (int i = 0; i < 8; ++i) slow.read(1);
  EXPECT_EQ(slow.got, (Texts{"a", "b", "c", "d", "e", "f", "g", "h"}));
  EXPECT_TRUE(slow.open);
}

TEST_P(HubTest, DropOldestWhileReplayingTellsExactlyWhatIsGone) {
  const auto topic = add("t", {.history = {.messages_max = 100},
                               .policy = {.when_full = WhenFull::drop_oldest, .waiting_max = 2},
                               .encode = with_position});
  publish(topic, "abcd");
  world.run_all();
  Follower slow;
  slow.room = 0;
  ASSERT_TRUE(slow.join(world.at(0), topic, {.since = Position{topic->first_epoch, 0}})->recovered);
  publish(topic, "ef");
  world.run_all();
  slow.read(1);
  EXPECT_EQ(slow.got, Texts{"a"});
  publish(topic, "g");
  world.run_all();
  slow.read(SIZE_MAX);
  EXPECT_EQ(slow.got, (Texts{"a", "f", "g"}));
  EXPECT_EQ(slow.missed_ranges.size(), 1U);
  EXPECT_EQ(topic->metrics().missed, 4U);
}

TEST_P(HubTest, RemovingATopicTellsItsSubscribersAfterWhatWasAccepted) {
  const auto topic = add("t", with_history(10));
  auto stays = std::make_unique<Follower>();
  auto goes = std::make_unique<Follower>();
  ASSERT_TRUE(stays->join(world.at(last_loop()), topic));
  ASSERT_TRUE(goes->join(world.at(last_loop()), topic));
  goes->then = [&] { stays.reset(); };  // in the middle of telling everyone
  stays->then = [&] { goes.reset(); };
  publish(topic, "a");
  EXPECT_TRUE(world.hub.remove(*topic));
  EXPECT_FALSE(world.hub.remove(*topic));
  EXPECT_EQ(world.hub.publish(topic, bytes_of("b")), PublishResult::removed);
  EXPECT_EQ(topic->refused(PublishResult::removed), 1U);
  EXPECT_EQ(Follower().join(world.at(0), topic).error(), JoinError::removed);
  world.run_all();
  EXPECT_NE(stays == nullptr, goes == nullptr);
  Follower& left = stays == nullptr ? *goes : *stays;
  EXPECT_EQ(left.got, Texts{"a"});
  EXPECT_EQ(left.notices, std::vector{TopicNotice::removed});
  left.then = nullptr;
  stays.reset();
  goes.reset();
  for (std::size_t i = 0; i < world.count(); ++i) EXPECT_EQ(world.at(i).topics(), 0U);
  EXPECT_NE(add("t", with_history(10))->first_epoch, topic->first_epoch);
}

TEST_P(HubTest, WhatARemovedTopicOrAnEndedLoopDoesNotComeToIsToldAsFailed) {
  const auto topic = add("t", with_history(10));
  int failed = 0;
  const auto count = [&failed](std::optional<Position> where) { failed += where ? 0 : 1; };
  // Between the check and the mailbox another thread removes the topic.
  world.hub.remove(*topic);
  auto flight = std::make_shared<Flight>(topic, nullptr, bytes_of("x"), Receipt(count));
  world.post(world.home(*topic), [flight](LoopHub& home) { home.sequence(flight); });
  flight.reset();
  world.run_all();
  EXPECT_EQ(failed, 1);
  const auto other = add("u", with_history(10));
  EXPECT_EQ(world.hub.publish(other, bytes_of("x"), count), PublishResult::accepted);
  world.end(world.home(*other));
  EXPECT_EQ(failed, 2);
  EXPECT_EQ(world.hub.publish(other, bytes_of("x"), count), PublishResult::stopped);
  EXPECT_EQ(failed, 2);
  EXPECT_EQ(other->metrics().failed, 1U);
  EXPECT_EQ(other->metrics().pending_messages, 0U);
}

TEST_P(HubTest, PresenceCountsMembersOnceAndTellsChangesTogether) {
  const auto describe = [](const PresenceChange& change) {
    std::string text;
    for (const auto& name : change.joined) text += "+" + name;
    for (const auto& name : change.left) text += "-" + name;
    return bytes_of(text);
  };
  const auto topic = add("t", {.history = {.messages_max = 10},
                               .presence = true,
                               .presence_interval = milliseconds(100),
                               .encode = with_position,
                               .describe_presence = describe});
  EXPECT_EQ(Follower().join(world.at(0), topic).error(), JoinError::bad_member);
  auto ann = std::make_unique<Follower>();
  auto again = std::make_unique<Follower>();
  Follower bob;
  ASSERT_TRUE(ann->join(world.at(0), topic, {.member = "ann"}));
  ASSERT_TRUE(again->join(world.at(last_loop()), topic, {.member = "ann"}));
  ASSERT_TRUE(bob.join(world.at(last_loop()), topic, {.member = "bob"}));
  world.run_all();
  EXPECT_TRUE(topic->members()->empty());
  world.advance(milliseconds(100));
  world.run_all();
  EXPECT_EQ(bob.got, Texts{"+ann+bob"});
  EXPECT_EQ(*topic->members(), (Texts{"ann", "bob"}));
  again.reset();
  world.run_all();
  world.advance(milliseconds(100));
  world.run_all();
  ann.reset();
  world.run_all();
  world.advance(milliseconds(100));
  world.run_all();
  EXPECT_EQ(bob.got, (Texts{"+ann+bob", "-ann"}));
  EXPECT_EQ(topic->metrics().members, 1U);
}

INSTANTIATE_TEST_SUITE_P(Loops, HubTest, testing::Values(1, 2, 3, 4));

TEST(HubLimits, PendingMessagesAndBytesOfATopicAtTheLimitAndOnePast) {
  ManualLoops world(2, {}, 1);
  const auto messages = *world.hub.add("m", {.limits = {.pending_messages_max = 2}});
  const auto bytes = *world.hub.add("b", {.limits = {.pending_bytes_max = 10}});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(world.hub.publish(messages, bytes_of("x")), PublishResult::accepted);
  EXPECT_EQ(world.hub.publish(messages, bytes_of("x")), PublishResult::topic_messages_full);
  EXPECT_EQ(world.hub.publish(bytes, bytes_of("123456789")), PublishResult::accepted);
  EXPECT_EQ(world.hub.publish(bytes, bytes_of("one may be larger")), PublishResult::accepted);
  EXPECT_EQ(world.hub.publish(bytes, bytes_of("x")), PublishResult::topic_bytes_full);
  EXPECT_EQ(messages->metrics().refused, 1U);
  EXPECT_EQ(bytes->refused(PublishResult::topic_bytes_full), 1U);
  // The room is there again when the last loop is done, not before.
  while (world.run_one(world.home(*messages))) {
  }
  EXPECT_EQ(messages->metrics().pending_messages, 2U);
  world.run_all();
  EXPECT_EQ(world.hub.publish(messages, bytes_of("x")), PublishResult::accepted);
  EXPECT_EQ(world.hub.publish(bytes, bytes_of("x")), PublishResult::accepted);
}

TEST(HubLimits, PendingMessagesAndBytesOfTheHubAtTheLimitAndOnePast) {
  ManualLoops few(1, {.pending_messages_max = 2}, 1);
  const auto a = *few.hub.add("a", {});
  const auto b = *few.hub.add("b", {});
  EXPECT_EQ(few.hub.publish(a, bytes_of("x")), PublishResult::accepted);
  EXPECT_EQ(few.hub.publish(b, bytes_of("x")), PublishResult::accepted);
  EXPECT_EQ(few.hub.publish(a, bytes_of("x")), PublishResult::hub_messages_full);
  EXPECT_EQ(a->metrics().pending_messages, 1U);  // no room of the topic's is lost
  few.run_all();
  EXPECT_EQ(few.hub.publish(a, bytes_of("x")), PublishResult::accepted);
  few.run_all();
  ManualLoops small(1, {.pending_bytes_max = 4}, 1);
  const auto c = *small.hub.add("c", {});
  EXPECT_EQ(small.hub.publish(c, bytes_of("1234")), PublishResult::accepted);
  EXPECT_EQ(small.hub.publish(c, bytes_of("5")), PublishResult::hub_bytes_full);
  small.run_all();
}

TEST(HubLimits, TopicsNamesMembersAndPresenceAtTheLimitAndOnePast) {
  ManualLoops world(1, {.topics_max = 2}, 1);
  const std::string longest(Hub::kNameBytesMax, 'n');
  ASSERT_TRUE(world.hub.add(longest, {}));
  EXPECT_FALSE(world.hub.add(longest, {}));  // taken
  EXPECT_FALSE(world.hub.add(longest + "n", {}));
  EXPECT_FALSE(world.hub.add("", {}));
  EXPECT_FALSE(world.hub.add("r", {.relayed = true}));  // there is no relay
  const auto topic = *world.hub.add(
      "p", {.limits = {.presence_connections_max = 2}, .presence = true, .encode = with_position});
  EXPECT_FALSE(world.hub.add("one more", {}));
  const std::string member(Hub::kMemberBytesMax, 'm');
  Follower first;
  auto second = std::make_unique<Follower>();
  Follower third;
  ASSERT_TRUE(first.join(world.at(0), topic, {.member = member}));
  EXPECT_EQ(third.join(world.at(0), topic, {.member = member + "m"}).error(), JoinError::bad_member);
  ASSERT_TRUE(second->join(world.at(0), topic, {.member = "b"}));
  EXPECT_EQ(third.join(world.at(0), topic, {.member = "c"}).error(), JoinError::presence_full);
  second.reset();
  EXPECT_TRUE(third.join(world.at(0), topic, {.member = "c"}));
  world.run_all();
}

TEST(HubLimits, BeforeThereAreLoopsNothingIsTaken) {
  SeededRandom random(1);
  Hub hub({}, random);
  const auto topic = *hub.add("t", {});
  EXPECT_EQ(hub.publish(topic, bytes_of("x")), PublishResult::stopped);
}

}  // namespace
}  // namespace fanfare::pubsub
