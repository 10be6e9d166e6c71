#include "streams/poller.h"

#include <gtest/gtest.h>

#include "streams/world_for_tests.h"

namespace fanfare::streams {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = FieldSpec::Kind;

StreamSpec height_spec() {
  return {.name = "s",
          .interval = seconds(2),
          .calls = {{.name = "height", .method = "eth_blockNumber"}},
          .fields = {{.name = "height", .pointer = "/height", .as = FieldSpec::As::number}}};
}

class PollerTest : public testing::Test {
 protected:
  void begin(StreamSpec its_spec) {
    spec = std::move(its_spec);
    stream = world.add(spec.name);
    poller = std::make_unique<Poller>(spec, *stream, node, world.loops.clock, [this] { ++rescheduled; });
    stream->on_watched([this] { poller->wake(); });
    start = world.loops.clock.now();
  }
  void advance(Duration by) {
    world.loops.clock.advance(by);
    poller->advance();
  }
  // Since begin().
  Duration due() const { return poller->next_due() - start; }
  std::string answer(std::string result) {
    node.answer(std::move(result));
    world.loops.run_all();
    return client.take();
  }
  std::string fail(std::string reason) {
    node.fail(std::move(reason));
    world.loops.run_all();
    return client.take();
  }
  std::string value(std::string_view data) {
    return R"({"type":"s","data":)" + std::string(data) + R"(,"timestamp":)" +
           std::to_string(world.seconds()) + "}\n";
  }
  std::string notice(std::string_view rest) {
    return R"({"type":"notice","stream":"s","state":)" + std::string(rest) + R"(,"timestamp":)" +
           std::to_string(world.seconds()) + "}\n";
  }
  void subscribe() { client.say(R"({"type":"subscribe","stream":"s"})"); }
  void unsubscribe() { client.say(R"({"type":"unsubscribe","stream":"s"})"); }

  World world;
  StreamSpec spec;
  std::shared_ptr<Stream> stream;
  TestNode node;
  std::unique_ptr<Poller> poller;
  TestClient client{world};
  Instant start;
  int rescheduled = 0;
};

TEST_F(PollerTest, PollsAtItsIntervalWhileSomebodyWatches) {
  begin(height_spec());
  advance(seconds(10));
  EXPECT_EQ(node.total, 0) << "nobody watches";
  EXPECT_EQ(poller->next_due(), Instant::max());
  start = world.loops.clock.now();

  subscribe();
  ASSERT_EQ(node.calls.size(), 1U) << "at once";
  EXPECT_EQ(node.calls[0].method, "eth_blockNumber");
  EXPECT_EQ(node.calls[0].params, "[]");
  EXPECT_EQ(poller->next_due(), Instant::max()) << "one poll at a time";
  EXPECT_EQ(answer("\"0x10\""), value(R"({"height":16})"));
  EXPECT_EQ(rescheduled, 1);
  EXPECT_EQ(due(), seconds(2));
  advance(milliseconds(1999));
  EXPECT_EQ(node.total, 1);
  advance(milliseconds(1));
  EXPECT_EQ(node.total, 2);
  EXPECT_EQ(answer("\"0x10\""), value(R"({"height":16})")) << "equal values are published too, by default";

  unsubscribe();
  advance(seconds(2));
  EXPECT_EQ(node.total, 2) << "nobody watches any more";
  EXPECT_EQ(poller->next_due(), Instant::max());
}

TEST_F(PollerTest, OnePollServesEverySubscriber) {
  begin(height_spec());
  subscribe();
  std::vector<std::unique_ptr<TestClient>> others;
  for (int i = 0; i < 1000; ++i) {
    others.push_back(std::make_unique<TestClient>(world, i % 2));
    others.back()->say(R"({"type":"subscribe","stream":"s"})");
  }
  EXPECT_EQ(node.total, 1);
  answer("\"0x10\"");
  for (const auto& other : others) EXPECT_EQ(other->take(), value(R"({"height":16})"));
  advance(seconds(2));
  EXPECT_EQ(node.total, 2);
}

TEST_F(PollerTest, SubscribingAgainAndAgainMakesNoMorePolls) {
  begin(height_spec());
  for (int i = 0; i < 10; ++i) {
    subscribe();
    if (i == 0) answer("\"0x10\"");
    unsubscribe();
    advance(milliseconds(100));
  }
  EXPECT_EQ(node.total, 1);
  subscribe();
  advance(seconds(1));
  EXPECT_EQ(node.total, 2) << "two seconds after the first";
}

TEST_F(PollerTest, ASlowPollDelaysTheNextOne) {
  begin(height_spec());
  subscribe();
  advance(seconds(5));
  EXPECT_EQ(node.total, 1);
  answer("\"0x10\"");
  EXPECT_EQ(due(), seconds(2)) << "it is due already";
  poller->advance();
  EXPECT_EQ(node.total, 2);
}

TEST_F(PollerTest, SubscribersHearOfAFailureOnceAndOfItsEnd) {
  begin(height_spec());
  subscribe();
  answer("\"0x10\"");
  advance(seconds(2));
  EXPECT_EQ(fail("the node cannot be reached"),
            notice(R"("interrupted","reason":"the node cannot be reached")"));
  EXPECT_TRUE(stream->is_interrupted());
  advance(seconds(2));
  EXPECT_EQ(fail("the node does not answer in time"), "") << "once";
  advance(seconds(2));
  EXPECT_EQ(answer("\"0x11\""), notice(R"("restored")") + value(R"({"height":17})"));
  EXPECT_FALSE(stream->is_interrupted());
  EXPECT_EQ(stream->counters.polls, 2U);
  EXPECT_EQ(stream->counters.polls_failed, 2U);
  EXPECT_EQ(stream->counters.interruptions, 1U);
}

TEST_F(PollerTest, ANewSubscriberOfAnInterruptedStreamGetsTheLastValueAndTheNotice) {
  begin(height_spec());
  subscribe();
  answer("\"0x10\"");
  const std::string last = value(R"({"height":16})");
  advance(seconds(2));
  const std::string told = fail("the node cannot be reached");
  advance(seconds(2));
  TestClient other(world, 1);
  EXPECT_EQ(other.say(R"({"type":"subscribe","stream":"s"})"),
            "{\"type\":\"subscribed\",\"stream\":\"s\"}\n" + last + told);
}

TEST_F(PollerTest, AnAnswerThatCannotBeUsedIsAFailure) {
  begin(height_spec());
  subscribe();
  EXPECT_EQ(
      answer("{}"),
      notice(
          R"x("interrupted","reason":"the node's answer cannot be used (height: there is no number at /height)")x"));
  advance(seconds(2));
  EXPECT_EQ(answer("\"0x1\""), notice(R"("restored")") + value(R"({"height":1})"));
  advance(seconds(2));
  EXPECT_EQ(answer("{"), notice(R"("interrupted","reason":"the node's answer is not JSON")"));
}

TEST_F(PollerTest, AnAnswerThatNestsTooDeepSaysSo) {
  begin(height_spec());
  subscribe();
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(answer(nested(65)),
            notice(R"("interrupted","reason":"the node's answer nests more than 64 deep")"));
  advance(seconds(2));
  EXPECT_EQ(answer(nested(64)), "") << "it is no number, but the stream is interrupted already";
}

TEST_F(PollerTest, AValueUpToAnEighthOfTheHistoryIsPublished) {
  begin({.name = "s", .calls = {{.name = "r", .method = "m"}}, .fields = {{.name = "f", .pointer = "/r"}}});
  subscribe();
  const std::size_t most = stream->value_bytes_max() - std::string_view(R"({"f":""})").size();
  EXPECT_EQ(answer('"' + std::string(most, 'x') + '"'), value(R"({"f":")" + std::string(most, 'x') + "\"}"));
  advance(seconds(2));
  EXPECT_EQ(answer('"' + std::string(most + 1, 'x') + '"'),
            notice(R"("interrupted","reason":"the value is longer than an eighth of the stream's history")"));
  advance(seconds(2));
  EXPECT_EQ(answer('"' + std::string(most + 1, 'x') + '"'), "") << "said once";
}

TEST_F(PollerTest, OnChangePublishesOnlyWhatDiffers) {
  StreamSpec changing = height_spec();
  changing.on_change = true;
  begin(changing);
  subscribe();
  EXPECT_EQ(answer("1"), value(R"({"height":1})"));
  advance(seconds(2));
  EXPECT_EQ(answer("1"), "");
  advance(seconds(2));
  EXPECT_EQ(answer("2"), value(R"({"height":2})"));
  advance(seconds(2));
  fail("x");
  advance(seconds(2));
  EXPECT_EQ(answer("2"), notice(R"("restored")") + value(R"({"height":2})")) << "after an interruption, too";
}

// Silence of such a stream means that the value is the same; a time without polls is not silence.
TEST_F(PollerTest, OnChangeTellsOfATimeWithoutPolls) {
  StreamSpec changing = height_spec();
  changing.on_change = true;
  begin(changing);
  const auto ask = [&](TestClient& one, std::string_view more) {
    return one.say(R"({"type":"subscribe","stream":"s")" + std::string(more) + "}");
  };
  TestClient asking(world);
  ask(client, "");
  ask(asking, R"(,"position":true)");
  answer("1");
  asking.take();
  // Two and a half intervals and a second are no pause: polls are late now and then.
  advance(seconds(6));
  EXPECT_EQ(answer("1"), "");
  EXPECT_EQ(asking.take(), "");

  const std::string from = std::to_string(world.seconds());
  advance(seconds(7));
  const std::string at = std::to_string(world.seconds());
  EXPECT_EQ(answer("1"), value(R"({"height":1})"))
      << "the same value again; other clients do not know the notice";
  EXPECT_EQ(asking.take(), R"({"type":"notice","stream":"s","state":"paused","from":)" + from +
                               R"(,"timestamp":)" + at +
                               R"(,"offset":2})"
                               "\n"
                               R"({"type":"s","data":{"height":1},"timestamp":)" +
                               at +
                               R"(,"offset":3})"
                               "\n");
  advance(seconds(2));
  EXPECT_EQ(answer("1"), "") << "and silence again";
}

TEST_F(PollerTest, OnChangeTellsOfATimeWithoutSubscribers) {
  StreamSpec changing = height_spec();
  changing.on_change = true;
  begin(changing);
  subscribe();
  answer("1");
  const std::string from = std::to_string(world.seconds());
  unsubscribe();
  advance(seconds(60));
  const std::string epoch = std::to_string(stream->topic()->first_epoch);
  EXPECT_EQ(client.say(R"({"type":"subscribe","stream":"s","since":{"epoch":)" + epoch + R"(,"offset":1}})"),
            R"({"type":"subscribed","stream":"s","position":{"epoch":)" + epoch +
                R"(,"offset":1},"recovered":true})"
                "\n");
  const std::string at = std::to_string(world.seconds());
  EXPECT_EQ(answer("2"), R"({"type":"notice","stream":"s","state":"paused","from":)" + from +
                             R"(,"timestamp":)" + at +
                             R"(,"offset":2})"
                             "\n"
                             R"({"type":"s","data":{"height":2},"timestamp":)" +
                             at +
                             R"(,"offset":3})"
                             "\n");
  // The values in a history show it by their offsets.
  TestClient other(world);
  EXPECT_NE(other.say(R"({"type":"subscribe","stream":"s","history":2})")
                .find(R"("offset":1},{"data":{"height":2},"timestamp":)" + at + R"(,"offset":3})"),
            std::string::npos);
}

// Without a value after each of them, notices alone would fill the history.
TEST_F(PollerTest, AValueFollowsEveryInterruption) {
  StreamSpec entries = height_spec();
  entries.fields = {{.name = "list",
                     .kind = Kind::list,
                     .pointer = "/height",
                     .fields = {{.name = "id", .pointer = "/i"}}}};
  entries.new_only = NewOnly{.list = "list", .key = "id"};
  entries.on_change = true;
  begin(entries);
  subscribe();
  answer(R"([{"i":1}])");
  for (int i = 0; i < 20; ++i) {
    advance(seconds(2));
    fail("x");
    advance(seconds(2));
    EXPECT_EQ(answer(R"([{"i":1}])"), notice(R"("restored")") + value(R"({"list":[]})"));
  }
  TestClient other(world);
  EXPECT_EQ(other.say(R"({"type":"subscribe","stream":"s"})"),
            "{\"type\":\"subscribed\",\"stream\":\"s\"}\n" + value(R"({"list":[]})"));
}

TEST_F(PollerTest, NewOnlyPublishesEachEntryOnce) {
  begin({.name = "s",
         .calls = {{.name = "r", .method = "m"}},
         .fields = {{.name = "list",
                     .kind = Kind::list,
                     .pointer = "/r",
                     .fields = {{.name = "id", .pointer = "/i"}}},
                    {.name = "count", .kind = Kind::size, .of = "list"}},
         .new_only = NewOnly{.list = "list", .key = "id"}});
  subscribe();
  EXPECT_EQ(answer("[]"), value(R"({"list":[],"count":0})")) << "the first value says that there are none";
  advance(seconds(2));
  EXPECT_EQ(answer("[]"), "");
  advance(seconds(2));
  EXPECT_EQ(answer(R"([{"i":2},{"i":1}])"), value(R"({"list":[{"id":2},{"id":1}],"count":2})"));
  advance(seconds(2));
  EXPECT_EQ(answer(R"([{"i":3},{"i":2},{"i":1}])"), value(R"({"list":[{"id":3}],"count":1})"));
  advance(seconds(2));
  EXPECT_EQ(answer(R"([{"i":3},{"i":2}])"), "");
}

// Entries that came and went meanwhile are lost.
TEST_F(PollerTest, NewOnlyTellsOfATimeWithoutSubscribers) {
  begin({.name = "s",
         .interval = seconds(2),
         .calls = {{.name = "r", .method = "m"}},
         .fields = {{.name = "list", .pointer = "/r"}},
         .new_only = NewOnly{.list = "list", .key = "id"}});
  client.say(R"({"type":"subscribe","stream":"s","position":true})");
  answer(R"([{"id":1}])");
  const std::string from = std::to_string(world.seconds());
  unsubscribe();
  advance(seconds(60));
  client.say(R"({"type":"subscribe","stream":"s","history":0})");
  const std::string got = answer(R"([{"id":1}])");
  EXPECT_NE(got.find(R"("state":"paused","from":)" + from), std::string::npos) << got;
  EXPECT_NE(got.find(R"("data":{"list":[]})"), std::string::npos) << got;
  EXPECT_EQ(stream->counters.pauses, 1U);
  advance(seconds(2));
  EXPECT_EQ(answer(R"([{"id":1}])"), "");
}

// Only what is new counts.
TEST_F(PollerTest, ALongListOfKnownEntriesIsNoLongValue) {
  begin({.name = "s",
         .calls = {{.name = "r", .method = "m"}},
         .fields = {{.name = "list", .pointer = "/r"}},
         .new_only = NewOnly{.list = "list", .key = "id"}});
  subscribe();
  const auto entry = [&](int id) {
    return R"({"id":)" + std::to_string(id) + R"(,"text":")" +
           std::string(stream->value_bytes_max() * 2 / 3, 'x') + "\"}";
  };
  answer("[" + entry(1) + "]");
  advance(seconds(2));
  EXPECT_NE(answer("[" + entry(1) + "," + entry(2) + "]").find(R"("id":2)"), std::string::npos);
}

TEST_F(PollerTest, SeveralCallsMakeOneValue) {
  StreamSpec two = height_spec();
  two.calls.push_back({.name = "peers", .method = "net_peerCount", .params = R"({"a":1})"});
  two.fields.push_back({.name = "peers", .pointer = "/peers", .as = FieldSpec::As::number});
  two.fields.push_back({.name = "at", .pointer = "/poll/time"});
  begin(two);
  subscribe();
  ASSERT_EQ(node.calls.size(), 2U);
  EXPECT_EQ(node.calls[1].params, R"({"a":1})");
  EXPECT_EQ(answer("\"0x1\""), "");
  EXPECT_EQ(answer("\"0x2\""),
            value(R"({"height":1,"peers":2,"at":)" + std::to_string(world.seconds()) + "}"));
  advance(seconds(2));
  EXPECT_EQ(fail("first"), "") << "the poll ends with its last call";
  EXPECT_EQ(answer("\"0x2\""), notice(R"("interrupted","reason":"first")"));
}

TEST_F(PollerTest, AnAnswerAfterThePollersEndIsIgnored) {
  begin(height_spec());
  subscribe();
  poller.reset();
  node.answer("\"0x1\"");
  world.loops.run_all();
  EXPECT_EQ(client.take(), "");
}

// The hub takes nothing: what could not be published is offered again.
TEST_F(PollerTest, ARefusedValueIsNotForgotten) {
  begin({.name = "s",
         .calls = {{.name = "r", .method = "m"}},
         .fields = {{.name = "list",
                     .kind = Kind::list,
                     .pointer = "/r",
                     .fields = {{.name = "id", .pointer = "/i"}}}},
         .new_only = NewOnly{.list = "list", .key = "id"}});
  subscribe();
  answer("[]");
  // The topic has room for so many events that no loop has taken.
  while (stream->publish(*parse_json("{}"), 0) == Stream::Published::yes) {
  }
  advance(seconds(2));
  node.answer(R"([{"i":1}])");
  EXPECT_EQ(stream->counters.refused, 2U);
  world.loops.run_all();
  client.take();
  advance(seconds(2));
  EXPECT_EQ(answer(R"([{"i":1}])"), value(R"({"list":[{"id":1}]})"));
}

}  // namespace
}  // namespace fanfare::streams
