// The relay while its broker is killed, stopped, restarted, or loses what it had.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/certificate_for_tests.h"
#include "relay/operator_for_tests.h"
#include "relay/relay_world_for_tests.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
// libnats reads from a TLS connection in one thread and writes to it in another one, which OpenSSL does not permit. Seen in one run of five
// on a busy machine; only frames of the two libraries are in the report.
extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions() {
  return "race:libssl.so.3\n";
}  // NOLINT
#endif
#endif

namespace fanfare::relay {
namespace {

using Texts = std::vector<std::string>;

TEST(NatsFaults, ABrokerThatIsKilledAndRestartedLosesNothingAndRepeatsNothing) {
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  Instance a(options);
  Instance b(options);
  a.open("t");
  b.open("t");
  a.publish("t", "before");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1) && b.sink.has("t", 1); }));
  server.kill();
  ASSERT_TRUE(eventually([&] { return !a.sink.is_up() && !b.sink.is_up(); }));
  EXPECT_TRUE(b.publish("t", "kept 1"));
  EXPECT_TRUE(b.publish("t", "kept 2"));
  server.start();
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 3) && b.sink.has("t", 3); }));
  ASSERT_TRUE(eventually([&] { return a.sink.is_up() && b.sink.is_up(); }));
  a.publish("t", "after");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 4) && b.sink.has("t", 4); }));
  EXPECT_EQ(a.sink.topic("t").texts, (Texts{"before", "kept 1", "kept 2", "after"}));
  EXPECT_EQ(b.sink.topic("t").texts, a.sink.topic("t").texts);
  EXPECT_EQ(a.sink.topic("t").lost.size(), 1U);  // where it began
  EXPECT_EQ(a.sink.times_down(), 1);
}

TEST(NatsFaults, ABrokerThatIsKilledAmidPublishingGetsEveryEventOnce) {
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  options.limits.messages_max = 10'000;
  Instance a(options);
  Instance b(options);
  a.open("t");
  b.open("t");
  constexpr int kEvents = 600;
  for (int i = 0; i < kEvents; ++i) {
    ASSERT_TRUE(a.publish("t", std::to_string(i)));
    if (i == 200 || i == 400) {
      ASSERT_TRUE(eventually([&, at = static_cast<std::size_t>(i) - 150] { return a.sink.has("t", at); }));
      server.kill();
      server.start();
    }
  }
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", kEvents) && b.sink.has("t", kEvents); }));
  Texts expected;
  for (int i = 0; i < kEvents; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(a.sink.topic("t").texts, expected);
  EXPECT_EQ(b.sink.topic("t").texts, expected);
  ASSERT_TRUE(eventually([&] { return a.receipts.all().size() == kEvents; }));
  for (const auto& receipt : a.receipts.all()) EXPECT_TRUE(receipt);
}

TEST(NatsFaults, ABrokerThatStopsAnsweringIsDownAndWhatWasPublishedElsewhereFollows) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  a.publish("t", "1");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  server.pause();
  ASSERT_TRUE(eventually([&] { return !a.sink.is_up(); }));
  server.go_on();
  ASSERT_TRUE(eventually([&] { return a.sink.is_up(); }));
  Instance b(options_for({server.url()}));
  b.open("t");
  b.publish("t", "2");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2); }));
  EXPECT_EQ(a.sink.topic("t").texts, (Texts{"1", "2"}));
  EXPECT_EQ(a.sink.topic("t").lost.size(), 1U);
}

TEST(NatsFaults, AnInstanceStartsWithoutItsBroker) {
  NatsServer server;
  server.kill();
  Instance a(options_for({server.url()}));
  a.relay->open("t", {});
  EXPECT_TRUE(a.publish("t", "kept"));
  server.start();
  ASSERT_TRUE(eventually([&] { return a.sink.is_up(); }));
  EXPECT_TRUE(a.publish("t", "x"));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2); }));
  EXPECT_EQ(a.sink.topic("t").texts, (Texts{"kept", "x"}));
}

TEST(NatsFaults, AnEventThatIsNeverAcknowledgedIsGivenUp) {
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  options.publish_timeout = std::chrono::milliseconds(50);
  Instance a(options);
  a.open("t");
  server.kill();
  ASSERT_TRUE(eventually([&] { return !a.sink.is_up(); }));
  EXPECT_TRUE(a.publish("t", "x"));
  ASSERT_TRUE(eventually([&] { return a.receipts.all().size() == 1; }));
  EXPECT_FALSE(a.receipts.all().front());
  EXPECT_EQ(a.relay->counters().given_up, 1U);
  EXPECT_EQ(a.relay->counters().in_flight, 0U);
}

TEST(NatsFaults, CredentialsThatAreWrongLeaveItDownAndRightOnesDoNot) {
  NatsServer server("authorization { user: fan, password: fare }");
  NatsOptions options = options_for({server.url()});
  options.user = "fan";
  options.password = "wrong";
  Instance refused(options);
  refused.relay->open("t", {});
  options.password = "fare";
  Instance accepted(options);
  accepted.open("t");
  EXPECT_FALSE(refused.sink.is_up());
}

// The library gives up after the second refusal.
TEST(NatsFaults, CredentialsThatTheBrokerAcceptsLaterBringItUp) {
  NatsServer server("authorization { user: fan, password: other }");
  NatsOptions options = options_for({server.url()});
  options.user = "fan";
  options.password = "fare";
  Instance a(options);
  a.relay->open("t", {});
  // It has been refused.
  Link same;
  ASSERT_TRUE(same.open(options, {.on_message = [](const Incoming&) {},
                                  .on_connection = [](bool) {},
                                  .on_problem = [](const LinkProblem&) {},
                                  .on_closed = [] {}}));
  EXPECT_FALSE(same.connect());
  server.kill();
  server.set_more("authorization { user: fan, password: fare }");
  server.start();
  EXPECT_TRUE(eventually([&] { return a.sink.is_up(); }));
}

TEST(NatsFaults, ABrokerWithoutJetStreamIsNamedInTheLog) {
  NatsServer server({}, {});
  NatsOptions options = options_for({server.url()});
  options.publish_timeout = std::chrono::milliseconds(50);
  testing::internal::CaptureStderr();
  {
    Instance a(options);
    EXPECT_TRUE(eventually([&] { return a.sink.is_up(); }));
    a.relay->open("t", {});
    EXPECT_TRUE(eventually([&] { return !a.sink.is_up(); }));
    a.publish("t", "x");
    EXPECT_TRUE(eventually([&] { return a.receipts.all().size() == 1; }));
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("relay_unusable reason=\"the broker stores nothing"), std::string::npos) << log;
  EXPECT_NE(log.find("relay_topic_failed topic=t reason=\"asking for a stream: the broker stores nothing"),
            std::string::npos)
      << log;
}

TEST(NatsFaults, AnEventThatIsTooBigIsNamedInTheLogOnce) {
  NatsServer server("max_payload: 4096");
  testing::internal::CaptureStderr();
  {
    Instance a(options_for({server.url()}));
    a.open("t");
    EXPECT_EQ(a.relay->payload_bytes_max(), 4096U - 512U);
    for (int i = 0; i < 3; ++i) a.publish("t", std::string(4000, 'x'));
    a.publish("t", std::string(3584, 'x'));
    EXPECT_TRUE(eventually([&] { return a.receipts.all().size() == 4; }));
    EXPECT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
    EXPECT_EQ(a.relay->counters().given_up, 3U);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const std::size_t said = log.find("relay_event_too_big topic=t bytes=4000 bytes_max=3584");
  EXPECT_NE(said, std::string::npos) << log;
  EXPECT_EQ(log.find("relay_event_too_big", said + 1), std::string::npos) << log;
}

// Another program has taken the storage.
TEST(NatsFaults, WhatABrokerWithoutRoomRefusesIsNamedAndWorksWhenThereIsRoom) {
  NatsServer server({}, "max_file: 40MB, max_mem: 1MB");
  testing::internal::CaptureStderr();
  {
    Instance a(options_for({server.url()}));
    a.open("t");
    const Operator person(server);
    person.fill("filler", 40 << 20);
    EXPECT_TRUE(eventually([&] {
      a.publish("t", "x");
      const auto all = a.receipts.all();
      return !all.empty() && !all.back();
    }));
    for (int i = 0; i < 10; ++i) a.publish("t", "x");
    person.delete_stream("filler");
    EXPECT_TRUE(eventually([&] {
      a.publish("t", "y");
      const auto all = a.receipts.all();
      return !all.empty() && all.back().has_value();
    }));
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const std::size_t said = log.find("relay_event_refused topic=t");
  EXPECT_NE(said, std::string::npos) << log;
  EXPECT_EQ(log.find("relay_event_refused topic=t", said + 1), std::string::npos) << log;
}

TEST(NatsFaults, ATopicForWhichTheBrokerHasNoRoomIsDownUntilItHas) {
  NatsServer server({}, "max_file: 40MB, max_mem: 1MB");
  NatsOptions options = options_for({server.url()});
  options.limits.bytes_max = 15 << 20;
  Instance a(options);
  a.open("t");
  const Operator person(server);
  person.fill("other", 0, 15 << 20);
  a.relay->open("more", {});
  ASSERT_TRUE(eventually([&] { return !a.sink.is_up(); }));
  person.delete_stream("other");
  EXPECT_TRUE(eventually([&] { return a.sink.is_up() && a.sink.topic("more").is_current; }));
}

TEST(NatsFaults, TlsWithACertificateOfTheirOwn) {
  const net::TestCertificate files;
  NatsServer server("tls { cert_file: \"" + files.certificate_file() + "\", key_file: \"" + files.key_file() +
                    "\" }");
  NatsOptions options = options_for({server.url()});
  Instance without(options);  // does not trust it
  without.relay->open("t", {});
  options.ca_file = files.certificate_file();
  options.expected_host = "localhost";
  Instance with(options);
  with.open("t");
  with.publish("t", "x");
  ASSERT_TRUE(eventually([&] { return with.sink.has("t", 1); }));
  EXPECT_FALSE(without.sink.is_up());
  options.ca_file = files.folder() + "/missing";
  Instance unreadable(options);
  EXPECT_NE(unreadable.relay->start_error().find(options.ca_file), std::string::npos)
      << unreadable.relay->start_error();
  EXPECT_FALSE(unreadable.publish("t", "x"));
}

}  // namespace
}  // namespace fanfare::relay
