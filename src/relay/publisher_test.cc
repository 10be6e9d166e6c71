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

}  // namespace
}  // namespace fanfare::relay
