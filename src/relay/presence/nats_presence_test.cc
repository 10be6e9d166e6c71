// Presence over instances with a real broker.

#include "relay/presence/nats_presence.h"

#include <gtest/gtest.h>
#include <nats/nats.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "relay/operator_for_tests.h"
#include "relay/presence/relay_with_presence.h"
#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

using Names = std::set<std::string>;

// An instance with members of the topic "t", which reads its events.
struct Site {
  explicit Site(const NatsServer& server)
      : instance(options_for({server.url()}),
                 std::make_unique<RelayWithPresence>(options_for({server.url()}))) {
    instance.open("t");
    instance.relay->presence()->watch(
        "t", 1,
        {.interval = std::chrono::milliseconds(200),
         .members_max = 5000,
         .describe =
             [](const PresenceChange& change) {
               std::string text;
               for (const std::string& name : change.joined) text += "+" + name + " ";
               for (const std::string& name : change.left) text += "-" + name + " ";
               return SharedBytes(as_bytes(text));
             },
         .report = [this](const pubsub::PresenceReport& report) { take(report); }});
  }
  void join(std::vector<std::string> names) {
    instance.relay->presence()->change("t", 1, {.joined = std::move(names), .left = {}});
  }
  void leave(std::vector<std::string> names) {
    instance.relay->presence()->change("t", 1, {.joined = {}, .left = std::move(names)});
  }
  void take(const pubsub::PresenceReport& report) {
    const std::scoped_lock lock(mutex);
    for (const std::string& name : report.change.joined) EXPECT_TRUE(members.insert(name).second) << name;
    for (const std::string& name : report.change.left) EXPECT_EQ(members.erase(name), 1U) << name;
    gone = report.gone;
  }
  bool lists(const Names& names) const {
    const std::scoped_lock lock(mutex);
    return members == names;
  }
  // Folds the events of the topic. A member that is told twice is an error.
  Names told() const {
    Names in;
    for (std::string text : instance.sink.topic("t").texts) {
      while (!text.empty()) {
        const std::string name = text.substr(1, text.find(' ') - 1);
        EXPECT_TRUE(text[0] == '+' ? in.insert(name).second : in.erase(name) > 0) << text << " is told twice";
        text.erase(0, name.size() + 2);
      }
    }
    return in;
  }
  std::uint64_t counted_as_gone() const {
    const std::scoped_lock lock(mutex);
    return gone;
  }
  std::size_t events() const { return instance.sink.topic("t").texts.size(); }
  bool was_told(std::string_view what) const {
    for (const std::string& text : instance.sink.topic("t").texts) {
      if (text.find(what) != std::string::npos) return true;
    }
    return false;
  }

  mutable std::mutex mutex;  // guards what follows
  Names members;
  std::uint64_t gone = 0;
  Instance instance;
};

bool agree(const std::vector<Site*>& sites, const Names& names) {
  return eventually([&] {
    return std::ranges::all_of(sites,
                               [&](Site* site) { return site->lists(names) && site->told() == names; });
  });
}

TEST(NatsPresence, AllInstancesTellTheSame) {
  NatsServer server;
  Site a(server);
  Site b(server);
  a.join({"ann", "both"});
  b.join({"bob", "both"});
  ASSERT_TRUE(agree({&a, &b}, {"ann", "bob", "both"}));
  a.leave({"both", "ann"});
  ASSERT_TRUE(agree({&a, &b}, {"bob", "both"}));
  // One that begins later.
  Site c(server);
  c.join({"eve"});
  EXPECT_TRUE(agree({&a, &b, &c}, {"bob", "both", "eve"}));
  EXPECT_FALSE(a.was_told("-both"));
}

// Of two, so that one of the cases is the teller.
TEST(NatsPresence, AnInstanceThatIsGoneIsNoticedAndWhoMovedIsNotTold) {
  for (const int gone : {0, 1}) {
    NatsServer server;
    std::array<std::unique_ptr<Site>, 2> sites;
    for (auto& site : sites) site = std::make_unique<Site>(server);
    Site& stays = *sites[1 - gone];
    sites[gone]->join({"ann", "moved"});
    stays.join({"bob"});
    ASSERT_TRUE(agree({&stays}, {"ann", "bob", "moved"}));
    sites[gone].reset();  // says no goodbye
    stays.join({"moved"});
    ASSERT_TRUE(agree({&stays}, {"bob", "moved"}));
    EXPECT_FALSE(stays.was_told("-moved"));
    EXPECT_GE(stays.counted_as_gone(), 1U);
    stays.leave({"bob", "moved"});
    ASSERT_TRUE(agree({&stays}, {}));
  }
}

TEST(NatsPresence, NobodyIsGoneBecauseTheBrokerHungOrWasStartedAgain) {
  NatsServer server;
  Site a(server);
  Site b(server);
  a.join({"ann"});
  b.join({"bob"});
  ASSERT_TRUE(agree({&a, &b}, {"ann", "bob"}));
  for (const bool hangs : {true, false}) {
    const int down_a = a.instance.sink.times_down();
    const int down_b = b.instance.sink.times_down();
    hangs ? server.pause() : server.kill();
    ASSERT_TRUE(eventually(
        [&] { return a.instance.sink.times_down() > down_a && b.instance.sink.times_down() > down_b; }));
    const std::size_t events = a.events();
    const std::string name = hangs ? "while it hung" : "while it was away";
    a.join({hangs ? "x" : "y"});
    b.join({hangs ? "x" : "y"});
    EXPECT_EQ(a.events(), events);
    hangs ? server.go_on() : server.start();
    ASSERT_TRUE(agree({&a, &b}, hangs ? Names{"ann", "bob", "x"} : Names{"ann", "bob", "x", "y"})) << name;
  }
  EXPECT_FALSE(a.was_told("-"));
}

TEST(NatsPresence, AStreamThatWasDeletedIsMadeAgainAndNothingIsToldTwice) {
  NatsServer server;
  Site a(server);
  Site b(server);
  a.join({"ann"});
  b.join({"bob"});
  ASSERT_TRUE(agree({&a, &b}, {"ann", "bob"}));
  Operator(server).delete_stream("fanfare=presence");
  a.join({"new"});
  b.leave({"bob"});
  EXPECT_TRUE(agree({&a, &b}, {"ann", "new"}));
}

// What nats-server 2.9 does when a stream is created while it removes the files of another one with this name.
TEST(NatsPresence, AStreamThatStandsStillIsNamedAndWhatItLostIsToldWhenItWasDeleted) {
  NatsServer server;
  testing::internal::CaptureStderr();
  {
    Site a(server);
    EXPECT_TRUE(NatsPresenceBroker(a.instance.relay->link(), a.instance.options).open());
    const auto files = server.data() / "jetstream" / "$G" / "streams" / "fanfare=presence";
    EXPECT_GT(std::filesystem::remove_all(files), 1U);
    a.join({"ann"});
    EXPECT_TRUE(eventually([&] { return a.instance.relay->counters().stalls == 1; }));
    EXPECT_TRUE(a.lists({}));
    Operator(server).delete_stream("fanfare=presence");
    EXPECT_TRUE(agree({&a}, {"ann"}));
    EXPECT_EQ(a.instance.relay->counters().stalls, 1U);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("presence_stream_stands_still topic=t sequence="), std::string::npos) << log;
}

// So many records of other topics, as another instance would write them.
void write_records_of_others(const NatsServer& server, int records) {
  const Operator person(server);
  for (int i = 0; i < records; ++i)
    EXPECT_EQ(
        js_Publish(nullptr, person.context(), "fanfare=presence.log.other.told", "x", 1, nullptr, nullptr),
        NATS_OK);
}

// The places of the lost records have others by the time at which an instance that knows them is back.
TEST(NatsPresence, ABrokerThatGaveLostPlacesToOthersIsNoticedAndToldAgain) {
  namespace fs = std::filesystem;
  NatsServer server;
  testing::internal::CaptureStderr();
  {
    Site a(server);
    a.join({"ann"});
    EXPECT_TRUE(agree({&a}, {"ann"}));
    server.kill();
    const auto copy = server.folder() / "copy";
    fs::copy(server.data(), copy, fs::copy_options::recursive);
    server.start();
    a.join({"bob"});
    EXPECT_TRUE(agree({&a}, {"ann", "bob"}));
    server.kill();
    {
      NatsServer elsewhere;
      elsewhere.kill();
      fs::remove_all(elsewhere.data());
      fs::rename(copy, elsewhere.data());
      elsewhere.start();
      write_records_of_others(elsewhere, 20);
      elsewhere.kill();
      fs::remove_all(server.data());
      fs::copy(elsewhere.data(), server.data(), fs::copy_options::recursive);
    }
    server.start();
    Site late(server);
    late.join({"eve"});
    EXPECT_TRUE(
        eventually([&] { return late.lists({"ann", "bob", "eve"}) && a.lists({"ann", "bob", "eve"}); }));
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("presence_stream_replaced topic=t"), std::string::npos) << log;
}

// Other events come in between.
TEST(NatsPresence, AThousandMembersComeAndGoInATopicThatIsUsed) {
  NatsServer server;
  Site a(server);
  Site b(server);
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back("m" + std::to_string(i));
  for (int round = 0; round < 3; ++round) {
    for (Site* const site : {&a, &b}) site->join(names);
    ASSERT_TRUE(agree({&a, &b}, {names.begin(), names.end()}));
    for (int i = 0; i < 50; ++i) a.instance.publish("t", "");
    for (Site* const site : {&a, &b}) site->leave(names);
    ASSERT_TRUE(agree({&a, &b}, {}));
  }
  // 1000 names fit into one event, but two instances may be seen one after the other.
  const auto texts = a.instance.sink.topic("t").texts;
  const auto events = std::ranges::count_if(texts, [](const auto& text) { return !text.empty(); });
  EXPECT_LE(events, 12);
}

TEST(NatsPresence, GoesOnWhenItsSubscriptionsWereTakenAwayAndGivenBack) {
  const std::string user = "no_auth_user: fan\nauthorization { users: [{ user: fan, password: fare";
  NatsServer server(user + " }] }");
  Site a(server);
  Site b(server);
  a.join({"ann"});
  b.join({"bob"});
  ASSERT_TRUE(agree({&a, &b}, {"ann", "bob"}));
  server.reload(user + ", permissions: { subscribe: { deny: [\"_INBOX.>\"] } } }] }");
  ASSERT_TRUE(eventually([&] { return !a.instance.sink.is_up() && !b.instance.sink.is_up(); }));
  b.join({"new"});
  server.reload(user + " }] }");
  EXPECT_TRUE(agree({&a, &b}, {"ann", "bob", "new"}));
}

}  // namespace
}  // namespace fanfare::relay
