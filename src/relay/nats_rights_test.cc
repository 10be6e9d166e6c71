// A broker whose configuration is read again: it takes rights away and gives them back, or changes what it takes. It does not tell a
// connection what it has given back.

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "relay/records.h"
#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

using namespace std::chrono_literals;

std::string rights(const std::string& denied) {
  return "authorization { users: [{ user: fan, password: fare" +
         (denied.empty() ? "" : ", permissions: { subscribe: { deny: [" + denied + "] } }") + " }] }";
}

NatsOptions options_of_user(const NatsServer& server) {
  NatsOptions options = options_for({server.url()});
  options.user = "fan";
  options.password = "fare";
  return options;
}

TEST(LookPlan, LooksAtOnceThenSeldomAndAtOnceAfterAWhile) {
  LookPlan plan;
  Instant now = Instant{} + 1h;
  std::vector<Duration> waits;
  for (int i = 0; i < 7; ++i) {
    const Instant begin = now;
    while (!plan.take(now)) now += 1s;
    waits.push_back(now - begin);
  }
  EXPECT_EQ(waits, (std::vector<Duration>{0s, 1s, 2s, 4s, 8s, 15s, 15s}));
  now += 2min;
  EXPECT_TRUE(plan.take(now));
  EXPECT_TRUE(plan.take(now + 1s));
}

TEST(LinkProblems, NameTheSubjectOfASubscription) {
  const auto subject_in = [](LinkProblem::Kind kind, const std::string& words) {
    return refused_subscription({.kind = kind, .words = words});
  };
  using Kind = LinkProblem::Kind;
  EXPECT_EQ(subject_in(Kind::not_permitted, R"(Permissions Violation for Subscription to "a.*" (sid "7"))"),
            "a.*");
  EXPECT_EQ(subject_in(Kind::not_permitted, R"(Permissions Violation for Subscription to "a")"), "a");
  EXPECT_EQ(subject_in(Kind::not_permitted, R"(Permissions Violation for Publish to "a")"), "");
  EXPECT_EQ(subject_in(Kind::broken_off, R"(Permissions Violation for Subscription to "a")"), "");
}

TEST(NatsRights, TheInboxThatIsTakenAwayAndGivenBackBringsTheRelayDownAndUp) {
  NatsServer server(rights(""));
  testing::internal::CaptureStderr();
  {
    Instance a(options_of_user(server));
    a.open("t");
    a.publish("t", "before");
    ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
    server.reload(rights("\"_INBOX.>\""));
    ASSERT_TRUE(eventually([&] { return !a.sink.is_up(); }));
    a.publish("t", "kept");
    server.reload(rights(""));
    EXPECT_TRUE(eventually([&] { return a.sink.is_up(); }));
    EXPECT_TRUE(eventually([&] { return a.sink.has("t", 2); }));
    EXPECT_EQ(a.sink.topic("t").texts, (std::vector<std::string>{"before", "kept"}));
    EXPECT_EQ(a.sink.topic("t").lost.size(), 1U);  // where it began
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("relay_unusable reason=\"the broker does not permit what the relay needs (Permissions "
                     "Violation for Subscription to "),
            std::string::npos)
      << log;
  EXPECT_NE(log.find("relay_connects_again reason=\"the broker permits the subscription to _INBOX."),
            std::string::npos)
      << log;
}

// Then no connection is better than the one it has, and what works goes on.
TEST(NatsRights, AConnectionIsKeptAsLongAsTheRightIsMissing) {
  NatsServer server(rights("\"other.>\", \"more.>\""));
  std::atomic<bool> is_closed = false;
  std::atomic<int> problems = 0;
  Link link;
  ASSERT_TRUE(link.open(options_of_user(server), {.on_message = [](const Incoming&) {},
                                                  .on_connection = [](bool) {},
                                                  .on_problem = [&](const LinkProblem&) { ++problems; },
                                                  .on_closed = [&] { is_closed = true; }}));
  ASSERT_TRUE(link.connect());
  Instant now = Instant{} + 1h;
  EXPECT_FALSE(link.look(now));
  EXPECT_FALSE(link.lacks_subscriptions());
  const Subscribed other = link.subscribe_to("other.x");
  ASSERT_TRUE(eventually([&] { return problems == 1; }));
  EXPECT_TRUE(link.lacks_subscriptions());
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(link.look(now += LookPlan::kWaitMax));
  server.reload(rights("\"other.>\""));
  EXPECT_FALSE(link.look(now += LookPlan::kWaitMax));
  EXPECT_TRUE(link.is_connected());
  server.reload(rights(""));
  EXPECT_EQ(link.look(now += LookPlan::kWaitMax), "the broker permits the subscription to other.x again");
  ASSERT_TRUE(eventually([&] { return is_closed.load(); }));
  EXPECT_FALSE(link.lacks_subscriptions());
  ASSERT_TRUE(link.connect());
  EXPECT_FALSE(link.look(now += LookPlan::kWaitMax));
  link.close();
}

// The library tells of each refusal later than the broker does, and by then there may be others. Each is looked for.
TEST(NatsRights, OneRightOfManyThatAreTakenAwayAtOnceIsNoticedWhenItComesBack) {
  constexpr int kSubjects = 300;
  const auto name = [](int i) { return "other." + std::to_string(i); };
  std::string all;
  for (int i = 0; i < kSubjects; ++i) all += (i == 0 ? "\"" : ", \"") + name(i) + "\"";
  NatsServer server(rights(""));
  std::mutex mutex;  // guards refused
  std::set<std::string> refused;
  Link link;
  const auto note = [&](const LinkProblem& problem) {
    const std::scoped_lock lock(mutex);
    refused.insert(refused_subscription(problem));
  };
  ASSERT_TRUE(link.open(options_of_user(server), {.on_message = [](const Incoming&) {},
                                                  .on_connection = [](bool) {},
                                                  .on_problem = note,
                                                  .on_closed = [] {}}));
  ASSERT_TRUE(link.connect());
  std::vector<Subscribed> subscriptions;
  for (int i = 0; i < kSubjects; ++i) subscriptions.push_back(link.subscribe_to(name(i)));
  server.reload(rights(all));
  ASSERT_TRUE(eventually([&] {
    const std::scoped_lock lock(mutex);
    return refused.size() == kSubjects;
  }));
  Instant now = Instant{} + 1h;
  EXPECT_FALSE(link.look(now += LookPlan::kWaitMax));
  const std::string back = name(kSubjects / 2);
  const std::size_t at = all.find(", \"" + back + "\"");
  server.reload(rights(all.substr(0, at) + all.substr(all.find(',', at + 1))));
  EXPECT_EQ(link.look(now += LookPlan::kWaitMax),
            "the broker permits the subscription to " + back + " again");
  link.close();
}

class NoUser final : public RecordUser {
 public:
  std::string on_asked(std::string_view /*question*/) override { return {}; }
  void on_forgotten() override {}
  void on_tick(Instant /*now*/) override {}
};

TEST(NatsRights, RecordsAreDownWithoutTheirInboxAndUpWithIt) {
  NatsServer server(rights(""));
  NoUser user;
  Records records(options_of_user(server), {.what = "sessions", .age_max = 1h}, 1);
  records.start(user);
  ASSERT_TRUE(eventually([&] { return records.is_up(); }));
  server.reload(rights("\"_INBOX.>\""));
  EXPECT_TRUE(eventually([&] { return !records.is_up(); }));
  server.reload(rights(""));
  EXPECT_TRUE(eventually([&] { return records.is_up(); }));
  records.stop();
}

TEST(NatsRights, AnEventThatTheBrokerTakesAfterAReloadFits) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  const std::string text(3000, 'x');
  const auto is_stored = [&] {
    const std::size_t before = a.receipts.all().size();
    EXPECT_TRUE(a.publish("t", text));
    EXPECT_TRUE(eventually([&] { return a.receipts.all().size() > before; }));
    return a.receipts.all().back().has_value();
  };
  EXPECT_TRUE(is_stored());
  server.reload("max_payload: 2000");
  EXPECT_FALSE(is_stored());
  EXPECT_LT(a.relay->payload_bytes_max(), 2000U);
  server.reload("");
  EXPECT_TRUE(eventually(is_stored));
  EXPECT_GT(a.relay->payload_bytes_max(), 3000U);
}

// Who does not publish what is too long.
TEST(NatsRights, ALargerPayloadThatIsWantedIsLookedFor) {
  NatsServer server("max_payload: 2000");
  Instance a(options_for({server.url()}));
  a.open("t");
  EXPECT_LT(a.relay->payload_bytes_max(), 2000U);
  server.reload("max_payload: 9000");
  EXPECT_TRUE(eventually([&] {
    a.relay->want_larger_payloads();
    return a.relay->payload_bytes_max() > 8000;
  }));
  EXPECT_TRUE(eventually([&] { return a.sink.is_up(); }));
}

}  // namespace
}  // namespace fanfare::relay
