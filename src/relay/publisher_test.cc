// The publisher on its own: its test decides when it learns of a connection, and of an answer.

#include "relay/publisher.h"

#include <gtest/gtest.h>

#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

class Publishers : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(link_.open(options_, {.on_message = [this](Incoming message) { take(std::move(message)); },
                                      .on_connection = [](bool) {},
                                      .on_problem = [](const LinkProblem&) {},
                                      .on_closed = [] {}}));
    ASSERT_TRUE(link_.connect());
    note_connection();
    feed_.restart();
    ASSERT_TRUE(eventually([&] { return feed_.tick(system_clock().now()) && feed_.is_ready(); }));
    publish("first");
    answer(1);
    tick();
  }
  void TearDown() override {
    publisher_.clear();
    link_.close();
  }

  void take(Incoming message) {
    const std::scoped_lock lock(mutex_);
    answers_.push_back(std::move(message));
  }
  std::size_t answers() {
    const std::scoped_lock lock(mutex_);
    return answers_.size();
  }
  // Waits for so many answers, and takes them.
  std::vector<Incoming> await(std::size_t count) {
    EXPECT_TRUE(eventually([&] { return answers() >= count; }));
    const std::scoped_lock lock(mutex_);
    std::vector<Incoming> taken;
    for (; taken.size() < count && !answers_.empty(); answers_.pop_front()) taken.push_back(answers_.front());
    return taken;
  }
  void answer(std::size_t count) {
    for (const Incoming& message : await(count)) publisher_.answered(message);
  }
  void publish(std::string_view text) {
    EXPECT_TRUE(publisher_.take_room(text.size()));
    publisher_.add({.topic = "t",
                    .payload = SharedBytes(as_bytes(text)),
                    .done = receipts_.next(),
                    .after = {},
                    .accepted = system_clock().now()});
    tick();
  }
  void tick() { publisher_.tick(system_clock().now()); }
  void note_connection() {
    publisher_.connection_changed(false);
    publisher_.connection_changed(true);
  }
  // Everything is answered.
  void finish(std::size_t events) {
    ASSERT_TRUE(eventually([&] {
      tick();
      answer(answers());
      return receipts_.all().size() == events;
    }));
  }
  // What is sent while it hangs is lost. The library is connected again at the end.
  void lose(std::string_view text) {
    server_.pause();
    const std::uint64_t before = link_.connection_number();
    publish(text);
    server_.kill();
    server_.start();
    ASSERT_TRUE(eventually([&] { return link_.is_connected() && link_.connection_number() > before; }));
  }
  std::vector<std::string> stored() {
    Instance reader(options_);
    reader.open("t");
    return reader.sink.topic("t").texts;
  }

  NatsServer server_;
  const NatsOptions options_ = options_for({server_.url()});
  std::mutex mutex_;  // guards answers_
  std::deque<Incoming> answers_;
  Link link_;
  JetStream jet_stream_{link_, options_};
  TestSink sink_;
  SystemRandom random_;
  RelayCounters counters_;
  RelayLog log_{options_};
  TopicFeed::World feeds_{.jet_stream = jet_stream_,
                          .link = link_,
                          .sink = sink_,
                          .random = random_,
                          .counters = counters_,
                          .heartbeat = options_.heartbeat};
  TopicFeed feed_{feeds_, "t", {.name = options_.name, .token = "t"}};
  Receipts receipts_;
  Publisher publisher_{{.link = link_,
                        .options = options_,
                        .counters = counters_,
                        .log = log_,
                        .feed_of = [this](std::string_view) { return &feed_; }}};
};

// The library has another connection before its threads say so.
TEST_F(Publishers, NothingIsSentOverAConnectionThatIsNotKnownYet) {
  lose("second");
  publish("third");
  note_connection();
  finish(3);
  EXPECT_EQ(stored(), (std::vector<std::string>{"first", "second", "third"}));
}

// An answer that was under way when the connection ended.
TEST_F(Publishers, AnAnswerOverTheLastConnectionDoesNotShowThatThisOneStores) {
  publish("second");
  const std::vector<Incoming> late = await(1);
  lose("third");
  note_connection();
  publish("fourth");
  for (const Incoming& message : late) publisher_.answered(message);
  tick();
  publish("fifth");
  // That of "second", which was sent again, and of "third". The broker answers in order.
  await(2);
  link_.publish("$JS.API.INFO", joined({link_.inbox(), "a.marker"}), {}, {});
  const Incoming next = await(1).front();
  EXPECT_EQ(next.to, "a.marker") << "sent before the broker has answered the first one";
}

// It was sent before an event of another instance came, and is sent again since. Those behind it wait for its answer.
TEST_F(Publishers, AnOldEventThatIsSentAgainWithoutAnAnswerShowsThatTheTopicIsHindered) {
  feed_.start_reading({.after = {}, .recent_max = SIZE_MAX});
  ASSERT_TRUE(eventually([&] { return feed_.tick(system_clock().now()) && feed_.may_publish(); }));
  // Answers do not get there, and the feed gets the topic's events.
  std::uint64_t last = 0;
  const auto drop_answer = [&] {
    for (bool is_answer = false; !is_answer;) {
      const Incoming message = await(1).front();
      is_answer = message.to.starts_with(Publisher::kAnswer);
      const auto delivery = delivery_of(message.reply);
      if (!delivery) continue;
      feed_.on_message(message, *delivery, system_clock().now());
      last = delivery->stream_sequence;
    }
  };
  publish("second");
  drop_answer();
  Instance other(options_);
  other.open("t");
  other.publish("t", "of another one");
  while (last < 3) {
    link_.publish("$JS.API.INFO", joined({link_.inbox(), "a.marker"}), {}, {});
    drop_answer();
  }
  publisher_.tick(system_clock().now() + Publisher::kAnswerWait + Publisher::kLookEvery);
  EXPECT_FALSE(publisher_.is_hindered());
  publisher_.tick(system_clock().now() + Publisher::kSendAgainAfter + Publisher::kLookEvery);
  drop_answer();
  EXPECT_FALSE(publisher_.is_hindered());
  publisher_.tick(system_clock().now() + Publisher::kSendAgainAfter + 2 * Publisher::kAnswerWait);
  EXPECT_TRUE(publisher_.is_hindered());
}

// The event that was not answered has been given up: the broker is asked, now and then, until it answers.
TEST_F(Publishers, ATopicThatWasNotAnsweredIsAskedAboutUntilItIs) {
  feed_.start_reading({.after = {}, .recent_max = SIZE_MAX});
  ASSERT_TRUE(eventually([&] { return feed_.tick(system_clock().now()) && feed_.may_publish(); }));
  // Events and signs of life come as well.
  const auto next_answer = [&] {
    Incoming next;
    while (!next.to.starts_with("a.")) next = await(1).front();
    return next;
  };
  publish("second");
  next_answer();  // does not get there
  Instant now = system_clock().now() + Publisher::kAnswerWait;
  const auto ask = [&] {
    publisher_.tick(now += Publisher::kProbeEvery);
    return next_answer();
  };
  publisher_.tick(now += Publisher::kLookEvery);
  EXPECT_TRUE(publisher_.is_hindered());
  now += options_.publish_timeout;
  Incoming answer = ask();
  EXPECT_EQ(receipts_.all().back(), std::nullopt);
  EXPECT_EQ(answer.to, "a.probe-t");
  EXPECT_TRUE(publisher_.is_hindered());
  // Not again before it is time.
  publisher_.tick(now + Publisher::kProbeEvery - Publisher::kLookEvery);
  link_.publish("$JS.API.INFO", joined({link_.inbox(), "a.marker"}), {}, {});
  EXPECT_EQ(next_answer().to, "a.marker");
  EXPECT_EQ(ask().to, "a.probe-t");
  Incoming other = answer;
  other.to = "a.probe-u";
  publisher_.probe_answered(other);
  other = answer;
  other.payload = SharedBytes(as_bytes("{}"));
  publisher_.probe_answered(other);
  EXPECT_TRUE(publisher_.is_hindered());
  publisher_.probe_answered(answer);
  EXPECT_FALSE(publisher_.is_hindered());
  EXPECT_EQ(stored(), (std::vector<std::string>{"first", "second"}));
}

}  // namespace
}  // namespace fanfare::relay
