#include "streams/client.h"

#include <gtest/gtest.h>

#include "streams/canonical.h"
#include "streams/merge_patch.h"
#include "streams/world_for_tests.h"

namespace fanfare::streams {
namespace {

const std::string kSubscribe = R"({"type":"subscribe","stream":"s"})";

// "{"type":"subscribe","stream":"s",MORE}"
std::string subscribe_with(std::string_view more) {
  return R"({"type":"subscribe","stream":"s",)" + std::string(more) + "}";
}

class StreamClientTest : public testing::Test {
 protected:
  std::string epoch() const { return std::to_string(stream->topic()->first_epoch); }
  std::string position(std::uint64_t offset) const {
    return R"({"epoch":)" + epoch() + R"(,"offset":)" + std::to_string(offset) + "}";
  }
  // Values {"n":FROM} to {"n":TO}.
  void publish_numbers(int from, int to) {
    for (int i = from; i <= to; ++i) world.publish(*stream, R"({"n":)" + std::to_string(i) + "}");
  }
  std::string at() { return std::to_string(world.seconds()); }
  std::string value(int n) {
    return R"({"type":"s","data":{"n":)" + std::to_string(n) + R"(},"timestamp":)" + at() + "}\n";
  }
  std::string numbered(int n, std::uint64_t offset) {
    std::string text = value(n);
    text.resize(text.size() - 2);
    return text + R"(,"offset":)" + std::to_string(offset) + "}\n";
  }

  World world;
  std::shared_ptr<Stream> stream = world.add("s", {.interval_ms = 2000, .history_messages = 5});
  TestClient client{world};
};

TEST_F(StreamClientTest, PlainClientsGetExactlyTheFieldsOfRowC) {
  world.add("other");
  client.client.welcome();
  EXPECT_EQ(
      client.take(),
      R"({"type":"welcome","message":"Fanfare streams","available_streams":["s","other"],"timestamp":)" +
          at() + "}\n");
  EXPECT_EQ(client.say(kSubscribe), "{\"type\":\"subscribed\",\"stream\":\"s\"}\n");
  publish_numbers(1, 2);
  EXPECT_EQ(client.take(), value(1) + value(2));
  EXPECT_EQ(client.say(R"({"type":"ping"})"), "{\"type\":\"pong\"}\n");
  EXPECT_EQ(client.say(R"({"type":"unsubscribe","stream":"s"})"),
            "{\"type\":\"unsubscribed\",\"stream\":\"s\"}\n");
  publish_numbers(3, 3);
  EXPECT_EQ(client.take(), "");
  EXPECT_EQ(client.say(kSubscribe), "{\"type\":\"subscribed\",\"stream\":\"s\"}\n" + value(3))
      << "the last value at once";
  EXPECT_EQ(stream->watchers(), 1U);
}

TEST_F(StreamClientTest, ErrorsAnswerTheRequestAndHarmNothing) {
  EXPECT_EQ(client.say("?"), "{\"type\":\"error\",\"message\":\"the message is not JSON\"}\n");
  EXPECT_EQ(client.say(R"({"type":"subscribe","stream":"t"})"),
            "{\"type\":\"error\",\"message\":\"unknown stream: available are s\"}\n");
  EXPECT_EQ(client.say(R"({"type":"unsubscribe","stream":"s"})"),
            "{\"type\":\"error\",\"message\":\"not subscribed to this stream\"}\n");
  client.say(R"({"type":"hello"})");
  EXPECT_EQ(client.say(R"({"type":"subscribe","stream":"t","id":7})"),
            "{\"type\":\"error\",\"message\":\"unknown stream: available are "
            "s\",\"code\":\"unknown_stream\",\"stream\":\"t\",\"id\":7}\n");
  EXPECT_EQ(client.say(R"({"type":"unsubscribe","stream":"s","id":"x"})"),
            "{\"type\":\"error\",\"message\":\"not subscribed to this "
            "stream\",\"code\":\"not_subscribed\",\"stream\":\"s\",\"id\":\"x\"}\n");
  client.say(kSubscribe);
  EXPECT_EQ(client.say(kSubscribe),
            "{\"type\":\"error\",\"message\":\"already subscribed to "
            "s\",\"code\":\"already_subscribed\",\"stream\":\"s\"}\n");
  client.client.receive(false, "\x01");
  EXPECT_EQ(client.take(),
            "{\"type\":\"error\",\"message\":\"messages must be text\",\"code\":\"not_text\"}\n");
  publish_numbers(1, 1);
  EXPECT_EQ(client.take(), value(1));
  EXPECT_EQ(world.catalog.errors(ErrorCode::unknown_stream), 2U);
}

TEST_F(StreamClientTest, HelloNamesLimitsAndStreams) {
  EXPECT_EQ(
      client.say(R"({"type":"hello","id":1})"),
      R"({"type":"hello","id":1,"reconnect":{"min_ms":500,"max_ms":30000},"ping_interval_ms":30000,"limits":{"subscriptions":64,"message_bytes":4096,"messages_per_second":20},"streams":[{"name":"s","interval_ms":2000,"history":5}]})"
      "\n");
}

TEST_F(StreamClientTest, HelloSaysWhichStreamsAreSilentWhileNothingChanges) {
  world.add("t", {.interval_ms = 500, .on_change = true});
  EXPECT_NE(client.say(R"({"type":"hello"})")
                .find(R"({"name":"t","interval_ms":500,"on_change":true,"history":300})"),
            std::string::npos);
}

TEST_F(StreamClientTest, AMessageMayHaveMessageBytesMax) {
  const std::string start = R"({"type":"ping","x":")";
  const std::size_t most = world.catalog.limits().message_bytes_max;
  EXPECT_EQ(client.say(start + std::string(most - start.size() - 2, 'x') + "\"}"), "{\"type\":\"pong\"}\n");
  EXPECT_EQ(client.say(start + std::string(most - start.size() - 1, 'x') + "\"}"),
            "{\"type\":\"error\",\"message\":\"the message is too big: at most 4096 bytes\"}\n");
}

TEST_F(StreamClientTest, AConnectionMayHaveSubscriptionsMax) {
  const std::size_t most = world.catalog.limits().subscriptions_per_connection_max;
  for (std::size_t i = 0; i <= most; ++i) {
    const std::string name = "t" + std::to_string(i);
    world.add(name);
    world.loops.clock.advance(std::chrono::seconds(1));
    const std::string answer = client.say(R"({"type":"subscribe","stream":")" + name + "\"}");
    if (i < most) {
      EXPECT_EQ(answer, "{\"type\":\"subscribed\",\"stream\":\"" + name + "\"}\n");
    } else {
      EXPECT_EQ(answer, "{\"type\":\"error\",\"message\":\"too many subscriptions: at most 64\"}\n");
    }
  }
  EXPECT_EQ(client.client.subscriptions(), most);
}

TEST_F(StreamClientTest, AFloodIsIgnoredThenClosed) {
  std::string all;
  for (int i = 0; i < 201; ++i) all += client.say(R"({"type":"ping"})");
  std::string expected;
  for (int i = 0; i < 20; ++i) expected += "{\"type\":\"pong\"}\n";
  expected +=
      "{\"type\":\"error\",\"message\":\"too many messages: at most 20 in a second; further ones are "
      "ignored\"}\n";
  EXPECT_EQ(all, expected + "close 1008 too many messages\n");
}

TEST_F(StreamClientTest, HistoryFillsTheAnswer) {
  publish_numbers(1, 7);
  const std::string answer = client.say(subscribe_with(R"("history":3)"));
  EXPECT_EQ(answer, R"({"type":"subscribed","stream":"s","position":)" + position(7) +
                        R"(,"history":[{"data":{"n":5},"timestamp":)" + at() +
                        R"(,"offset":5},{"data":{"n":6},"timestamp":)" + at() +
                        R"(,"offset":6},{"data":{"n":7},"timestamp":)" + at() + ",\"offset\":7}]}\n");
  publish_numbers(8, 8);
  EXPECT_EQ(client.take(), numbered(8, 8)) << "and the last value is not repeated";

  TestClient all(world, 1);
  const std::string whole = all.say(subscribe_with(R"("history":10000)"));
  EXPECT_TRUE(whole.contains(R"("history":[{"data":{"n":4})")) << whole << " the history has 5";
  TestClient none(world, 1);
  EXPECT_EQ(none.say(subscribe_with(R"("history":0)")),
            R"({"type":"subscribed","stream":"s","position":)" + position(8) + ",\"history\":[]}\n");
}

TEST(StreamHistory, AnAnswerHasAtMostHistoryAnswerBytes) {
  World world({.history_answer_bytes_max = 21});  // three values of 7 bytes
  const auto stream = world.add("s");
  for (int i = 1; i <= 5; ++i) world.publish(*stream, R"({"n":)" + std::to_string(i) + "}");
  TestClient client(world);
  const std::string three = client.say(subscribe_with(R"("history":5)"));
  EXPECT_TRUE(three.contains(R"("history":[{"data":{"n":3})")) << three;
  world.publish(*stream, R"({"n":10})");  // 8 bytes: two more fit
  TestClient other(world);
  const std::string two = other.say(subscribe_with(R"("history":5)"));
  EXPECT_TRUE(two.contains(R"("history":[{"data":{"n":5})")) << two;
}

TEST_F(StreamClientTest, ResumingReplaysWhatWasMissed) {
  publish_numbers(1, 7);
  EXPECT_EQ(client.say(subscribe_with(R"("since":)" + position(5))),
            R"({"type":"subscribed","stream":"s","position":)" + position(5) + ",\"recovered\":true}\n" +
                numbered(6, 6) + numbered(7, 7));
  publish_numbers(8, 8);
  EXPECT_EQ(client.take(), numbered(8, 8));
  TestClient current(world, 1);
  EXPECT_EQ(current.say(subscribe_with(R"("since":)" + position(8))),
            R"({"type":"subscribed","stream":"s","position":)" + position(8) + ",\"recovered\":true}\n");
}

TEST_F(StreamClientTest, APartialReplayIsNeverSilent) {
  publish_numbers(1, 8);
  EXPECT_EQ(client.say(subscribe_with(R"("since":)" + position(1))),
            R"({"type":"subscribed","stream":"s","position":)" + position(3) +
                R"(,"recovered":false,"missing":{"after":)" + position(1) + R"(,"until":)" + position(3) +
                ",\"count\":2}}\n" + numbered(4, 4) + numbered(5, 5) + numbered(6, 6) + numbered(7, 7) +
                numbered(8, 8));
}

TEST_F(StreamClientTest, APositionOfAnotherEpochGetsEverythingThatIsThere) {
  publish_numbers(1, 2);
  const std::string other = R"({"epoch":1,"offset":70})";
  EXPECT_EQ(client.say(subscribe_with(R"("since":)" + other)),
            R"({"type":"subscribed","stream":"s","position":)" + position(0) +
                R"(,"recovered":false,"missing":{"after":)" + other + R"(,"until":)" + position(0) + "}}\n" +
                numbered(1, 1) + numbered(2, 2));
  TestClient never(world, 1);
  EXPECT_EQ(never.say(subscribe_with(R"("since":)" + position(9))),
            R"({"type":"subscribed","stream":"s","position":)" + position(0) +
                R"(,"recovered":false,"missing":{"after":)" + position(9) + R"(,"until":)" + position(0) +
                "}}\n" + numbered(1, 1) + numbered(2, 2))
      << "it was never assigned";
}

TEST_F(StreamClientTest, NoticesAreReplayedInTheirPlace) {
  publish_numbers(1, 1);
  stream->interrupt("gone", world.seconds());
  stream->restore(world.seconds());
  publish_numbers(2, 2);
  EXPECT_EQ(client.say(subscribe_with(R"("since":)" + position(1))),
            R"({"type":"subscribed","stream":"s","position":)" + position(1) + ",\"recovered\":true}\n" +
                R"({"type":"notice","stream":"s","state":"interrupted","reason":"gone","timestamp":)" + at() +
                ",\"offset\":2}\n" + R"({"type":"notice","stream":"s","state":"restored","timestamp":)" +
                at() + ",\"offset\":3}\n" + numbered(2, 4));
}

// A source that publishes only changes, and fails often: notices do not push its value out of a short history.
TEST_F(StreamClientTest, TheLastValueFollowsRestored) {
  const auto quiet = world.add("q", {.history_messages = 2});
  quiet->interrupt("no value yet", world.seconds());
  quiet->restore_with_last(world.seconds());
  world.publish(*quiet, R"({"n":7})");
  for (int i = 0; i < 5; ++i) {
    quiet->interrupt("gone", world.seconds());
    quiet->restore_with_last(world.seconds());
    quiet->restore_with_last(world.seconds());
    world.loops.run_all();
    TestClient fresh(world, 1);
    EXPECT_EQ(fresh.say(R"({"type":"subscribe","stream":"q"})"),
              R"({"type":"subscribed","stream":"q"})"
              "\n"
              R"({"type":"q","data":{"n":7},"timestamp":)" +
                  at() + "}\n");
  }
}

// A client that follows the protocol of docs/streams.md: it merges patches and proves its value.
class MergingClient {
 public:
  // Takes lines of messages; checks offsets and checksums.
  void take(const std::string& lines) {
    std::size_t at = 0;
    while (at < lines.size()) {
      const std::size_t end = lines.find('\n', at);
      take_one(*parse_json(std::string_view(lines).substr(at, end - at)));
      at = end + 1;
    }
  }
  Json value;
  int patches = 0;
  int values = 0;
  int checksums = 0;

 private:
  void take_one(const Json& message) {
    if (const Json* const data = message.find("data")) {
      value = *data;
      ++values;
    } else if (const Json* const patch = message.find("patch")) {
      apply_merge_patch(value, *patch);
      ++patches;
    } else {
      return;
    }
    const std::uint64_t offset = std::stoull(message.find("offset")->text);
    const Json* const checksum = message.find("checksum");
    ASSERT_EQ(checksum != nullptr, offset % 8 == 0) << message.write();
    if (checksum == nullptr) return;
    ++checksums;
    char expected[9];
    std::snprintf(expected, sizeof(expected), "%08x", checksum_of(value));
    EXPECT_EQ(checksum->text, expected) << message.write();
  }
};

TEST_F(StreamClientTest, PatchesLeadToTheSameValue) {
  MergingClient merged;
  client.say(subscribe_with(R"("delta":"merge")"));
  for (int i = 1; i <= 20; ++i) {
    world.publish(*stream, R"({"name":"a long text that never changes","n":)" + std::to_string(i) +
                               R"(,"half":)" + std::to_string(i / 2) + "}");
    const std::string message = client.take();
    if (i == 2) {
      EXPECT_EQ(message, R"({"type":"s","patch":{"n":2,"half":1},"timestamp":)" + at() + ",\"offset\":2}\n");
    }
    merged.take(message);
  }
  EXPECT_EQ(merged.values, 1);
  EXPECT_EQ(merged.patches, 19);
  EXPECT_EQ(merged.checksums, 2);
  EXPECT_EQ(merged.value.write(), R"({"name":"a long text that never changes","n":20,"half":10})");
}

// Values that a patch cannot express, or where it would be longer, are sent as they are.
TEST_F(StreamClientTest, APatchIsSentOnlyWhereItIsPossibleAndShorter) {
  client.say(subscribe_with(R"("delta":"merge")"));
  const auto sent = [&](std::string_view json) {
    world.publish(*stream, json);
    const std::string message = client.take();
    return message.substr(0, message.find(",\"timestamp\""));
  };
  EXPECT_EQ(sent(R"({"a":1,"b":"0123456789"})"), R"({"type":"s","data":{"a":1,"b":"0123456789"})");
  EXPECT_EQ(sent(R"({"a":2,"b":"0123456789"})"), R"({"type":"s","patch":{"a":2})");
  EXPECT_EQ(sent(R"({"a":null,"b":"0123456789"})"), R"({"type":"s","data":{"a":null,"b":"0123456789"})");
  EXPECT_EQ(sent(R"({"a":null,"b":"9876543210"})"), R"({"type":"s","patch":{"b":"9876543210"})");
  EXPECT_EQ(sent(R"({"c":1})"), R"({"type":"s","data":{"c":1})");
}

TEST_F(StreamClientTest, PatchesGoOnWhereTheClientStands) {
  const std::string text = R"("t":"a long text that never changes")";
  const auto publish = [&](int n) {
    world.publish(*stream, R"({"n":)" + std::to_string(n) + "," + text + "}");
  };
  for (int i = 1; i <= 3; ++i) publish(i);
  // It has value 2, and the log knows it: a patch.
  EXPECT_TRUE(
      client.say(subscribe_with(R"("delta":"merge","since":)" + position(2))).contains(R"("patch":{"n":3})"));
  // It has the last value from the history of the answer: a patch.
  TestClient charts(world);
  EXPECT_FALSE(charts.say(subscribe_with(R"("delta":"merge","history":2)")).contains("\"patch\""));
  // It has nothing, whatever follows.
  TestClient empty(world);
  empty.say(subscribe_with(R"("delta":"merge","history":0)"));
  // It has something of another epoch.
  TestClient old(world);
  EXPECT_TRUE(old.say(subscribe_with(R"("delta":"merge","since":{"epoch":1,"offset":2})"))
                  .contains(R"("data":{"n":1,)"));
  publish(4);
  EXPECT_TRUE(client.take().contains(R"("patch":{"n":4})"));
  EXPECT_TRUE(charts.take().contains(R"("patch":{"n":4})"));
  EXPECT_TRUE(empty.take().contains(R"("data":{"n":4,)"));
  EXPECT_TRUE(old.take().contains(R"("patch":{"n":4})"));
  publish(5);
  EXPECT_TRUE(empty.take().contains(R"("patch":{"n":5})"));
}

TEST_F(StreamClientTest, ASlowReaderGetsTheNewestAndANoticeOfWhatItMissed) {
  client.room = 1;
  client.say(subscribe_with(R"("delta":"merge")"));
  publish_numbers(1, 4);
  EXPECT_EQ(client.take(), numbered(1, 1)) << "its outbox is full";
  EXPECT_EQ(client.read(), R"({"type":"notice","stream":"s","state":"missed","missing":{"after":)" +
                               position(1) + R"(,"until":)" + position(3) + R"(,"count":2},"timestamp":)" +
                               at() + "}\n" + numbered(4, 4))
      << "the value is complete: a patch would be against one that it never had";
  publish_numbers(5, 5);
  EXPECT_EQ(client.read(), numbered(5, 5));
}

TEST_F(StreamClientTest, WhoeverReadsEventsComesBackBehindWhatItWasToldToMiss) {
  TestClient events(world, 0, Transport::events);
  events.room = 2;
  ASSERT_TRUE(events.client.subscribe({.type = Request::Type::subscribe, .stream = "s", .position = true}));
  publish_numbers(1, 4);
  events.take();
  const std::string got = events.read();
  EXPECT_NE(
      got.find("id: " + epoch() + "-3\ndata: {\"type\":\"notice\",\"stream\":\"s\",\"state\":\"missed\""),
      std::string::npos)
      << got;
}

TEST(SlowReaders, OfAStreamThatClosesGetEverythingOrTheEnd) {
  World world;
  const auto stream = world.add("s", {.slow_readers = {.when_full = WhenFull::close}});
  TestClient client(world);
  client.room = 1;
  client.room_behind = 1 << 20;
  client.say(kSubscribe);
  for (int i = 1; i <= 3; ++i) world.publish(*stream, R"({"n":)" + std::to_string(i) + "}");
  // The outbox itself holds them: a session ends when it is full.
  EXPECT_EQ(client.frames.size(), 3U);
}

TEST_F(StreamClientTest, SubscribersOfOneLoopShareTheirFrames) {
  std::vector<std::unique_ptr<TestClient>> clients;
  const std::vector<std::string> ways{kSubscribe, subscribe_with(R"("position":true)"),
                                      subscribe_with(R"("delta":"merge")")};
  for (int i = 0; i < 30; ++i) {
    clients.push_back(std::make_unique<TestClient>(world));
    clients.back()->say(ways[static_cast<std::size_t>(i % 3)]);
  }
  world.publish(*stream, R"({"t":"a long text that never changes","n":1})");
  world.publish(*stream, R"({"t":"a long text that never changes","n":2})");
  for (std::size_t i = 3; i < clients.size(); ++i) {
    for (std::size_t event : {0U, 1U}) {
      EXPECT_EQ(clients[i]->frames[event].view().data(), clients[i % 3]->frames[event].view().data());
    }
  }
  EXPECT_EQ(world.shared[0]->forms.made(), 6U);
}

TEST_F(StreamClientTest, AStreamThatEndsUnsubscribesItsClients) {
  client.say(kSubscribe);
  publish_numbers(1, 1);
  client.take();
  EXPECT_TRUE(world.catalog.remove("s"));
  EXPECT_FALSE(world.catalog.remove("s"));
  world.loops.run_all();
  EXPECT_EQ(client.take(),
            "{\"type\":\"unsubscribed\",\"stream\":\"s\",\"reason\":\"the server has ended the stream\"}\n");
  EXPECT_EQ(client.client.subscriptions(), 0U);
  EXPECT_EQ(client.say(kSubscribe),
            "{\"type\":\"error\",\"message\":\"unknown stream: available are none\"}\n");
  EXPECT_EQ(stream->watchers(), 0U);
}

TEST_F(StreamClientTest, EventsHaveIdsAndTheSameMessages) {
  TestClient events(world, 0, Transport::events);
  publish_numbers(1, 1);
  ASSERT_TRUE(events.client.subscribe({.type = Request::Type::subscribe, .stream = "s", .position = true}));
  std::string last = numbered(1, 1);
  EXPECT_EQ(events.take(), R"({"type":"subscribed","stream":"s","position":)" + position(0) + "}\n" +
                               "id: " + epoch() + "-1\ndata: " + last + "\n");
}

}  // namespace
}  // namespace fanfare::streams
