// Streams are added, changed and removed while clients read them. Also meant for ThreadSanitizer.

#include <atomic>
#include <thread>

#include "gateway/reload/streams_world_for_tests.h"

namespace fanfare::gateway {
namespace {

class StreamsReloadTest : public StreamsReloadWorld {};

TEST_P(StreamsReloadTest, TheSameStreamsAreNoChange) {
  start();
  const auto client = read("heads");
  EXPECT_THAT(reload(), IsEmpty());
  expect_events(*client, 3);
}

TEST_P(StreamsReloadTest, OneIsAddedAndOneRemovedAndTheOtherNoticesNothing) {
  start();
  const auto stays = read("heads");
  const auto goes = read("other");
  expect_events(*goes, 1);
  plan_.streams->streams = {stream("new"), stream("heads")};
  EXPECT_THAT(reload(), ElementsAre("- stream other", "+ stream new"));
  const std::string last = receive_until(*goes, "unsubscribed");
  EXPECT_THAT(last, HasSubstr("\"stream\":\"other\""));
  EXPECT_THAT(last, HasSubstr("the server has ended the stream"));
  // The connection stays, and can read others.
  goes->send(request_for("other"));
  EXPECT_THAT(goes->receive(), HasSubstr("unknown stream: available are heads, new"));
  goes->send(request_for("new"));
  EXPECT_THAT(goes->receive(), HasSubstr("\"subscribed\""));
  expect_events(*goes, 3);
  expect_events(*stays, 5);
}

TEST_P(StreamsReloadTest, ReadersOfServerSentEventsAreToldToo) {
  start();
  RawClient client(port());
  client.write("GET /streams/sse?stream=other HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.read_until("\"number\""), HasSubstr("200 OK"));
  plan_.streams->streams.pop_back();
  reload();
  EXPECT_THAT(client.read_until("the server has ended the stream"), HasSubstr("unsubscribed"));
}

TEST_P(StreamsReloadTest, OneThatIsPolledOtherwiseGoesOnWithItsEvents) {
  start();
  std::string answer;
  const auto client = read("heads", &answer);
  const std::string epoch = member(answer, "epoch");
  expect_events(*client, 2);
  plan_of("heads").spec.interval = 20ms;
  EXPECT_THAT(reload(), ElementsAre("~ stream heads interval: 10ms -> 20ms"));
  const std::string before = expect_events(*client, 3);
  plan_of("heads").spec.fields.push_back({.name = "chain",
                                          .kind = streams::FieldSpec::Kind::constant,
                                          .constant = streams::Json::of(std::uint64_t{7})});
  plan_of("heads").spec.on_change = true;
  plan_of("heads").index = 1;
  EXPECT_THAT(reload(), ElementsAre("~ stream heads source: network main/1337 -> network side/1337",
                                    "~ stream heads fields", "~ stream heads onChange: false -> true"));
  const std::string after = receive_until(*client, "\"chain\":7");
  EXPECT_GT(std::stoull(member(after, "offset")), std::stoull(member(before, "offset")));
  // The network that it polled before may go.
  plan_.networks.erase(plan_.networks.begin());
  plan_of("heads").index = 0;
  plan_of("other").index = 0;
  reload();
  expect_events(*client, 2);
  // Who was away in the meantime has missed nothing.
  const auto returned = read("heads", &answer, since(epoch, before));
  EXPECT_THAT(answer, HasSubstr("\"recovered\":true"));
  EXPECT_EQ(member(answer, "epoch"), epoch);
  expect_events(*returned, 2);
  client->send(R"({"type":"hello"})");
  EXPECT_THAT(receive_until(*client, "\"hello\""), HasSubstr("\"interval_ms\":20"));
}

TEST_P(StreamsReloadTest, OneWithAnotherHistoryBeginsAnew) {
  start();
  std::string answer;
  const auto client = read("heads", &answer);
  const std::string epoch = member(answer, "epoch");
  const std::string before = expect_events(*client, 2);
  plan_of("heads").spec.history_messages = 7;
  EXPECT_THAT(reload(),
              ElementsAre("~ stream heads history: 300 -> 7 (its subscriptions end, and it begins anew)"));
  receive_until(*client, "unsubscribed");
  client->send(request_for("heads", since(epoch, before)));
  answer = client->receive();
  EXPECT_THAT(answer, HasSubstr("\"recovered\":false"));
  EXPECT_NE(member(answer, "epoch"), epoch);
  expect_events(*client, 2);
}

// Nodes that belong to no network.
TEST_P(StreamsReloadTest, TheirOwnNodesComeAndGo) {
  start();
  const auto client = read("heads");
  const auto url = std::get<UpstreamBackend>(plan_.networks.front().backend).front().url;
  plan_.streams->upstreams = {{.id = "first", .url = url}};
  plan_of("heads").source = StreamPlan::Source::upstream;
  EXPECT_THAT(reload(), ElementsAre("+ streams.upstreams first",
                                    "~ stream heads source: network main/1337 -> upstream first"));
  expect_events(*client, 4);
  plan_.streams->upstreams = {{.id = "second", .url = url}, {.id = "first", .url = url, .timeout = 3s}};
  EXPECT_EQ(reload().size(), 3U);
  expect_events(*client, 4);
  plan_.streams->upstreams.clear();
  plan_of("heads").source = StreamPlan::Source::network;
  EXPECT_EQ(reload().size(), 3U);
  expect_events(*client, 4);
}

TEST_P(StreamsReloadTest, AllOfThemComeAndGo) {
  const auto streams = plan_.streams;
  const auto mounts = plan_.listeners.front().mounts;
  plan_.streams.reset();
  plan_.listeners.front().mounts = routed_mounts(true);
  start();
  const auto heads = subscribe("main");
  EXPECT_THAT(RawClient(port()).upgrade("/streams"), StartsWith("HTTP/1.1 404"));
  for (int i = 0; i < 2; ++i) {
    plan_.streams = streams;
    plan_.listeners.front().mounts = mounts;
    EXPECT_THAT(reload(), ::testing::IsSupersetOf({"+ stream heads", "+ stream other"}));
    const auto client = open_streams_soon();
    client->receive();
    client->send(request_for("heads"));
    EXPECT_THAT(client->receive(), HasSubstr("\"subscribed\""));
    expect_events(*client, 3);
    plan_.streams.reset();
    plan_.listeners.front().mounts = routed_mounts(true);
    EXPECT_THAT(reload(), ::testing::IsSupersetOf({"- stream heads", "- stream other"}));
    EXPECT_EQ(receive_until(*client, "close"), "close 1012 streams were removed from the configuration");
  }
  EXPECT_THAT(RawClient(port()).request("GET", "/metrics"), ::testing::Not(HasSubstr("fanfare_stream")));
  expect_heads(*heads, 3);
}

TEST_P(StreamsReloadTest, LimitsApplyToTheNextRequest) {
  start();
  const auto client = read("heads");
  plan_.streams->limits.subscriptions_per_connection_max = 1;
  plan_.streams->limits.connections_max = 1;
  EXPECT_EQ(reload().size(), 2U);
  client->send(request_for("other"));
  EXPECT_THAT(receive_until(*client, "\"error\""), HasSubstr("too many subscriptions: at most 1"));
  EXPECT_THAT(RawClient(port()).upgrade("/streams"), StartsWith("HTTP/1.1 503"));
  expect_events(*client, 2);
}

TEST_P(StreamsReloadTest, AStormOfReloadsLosesNothing) {
  start();
  const auto client = read("heads");
  std::atomic<bool> over = false;
  std::thread others = visit_until(over);
  for (int i = 0; i < 60; ++i) {
    plan_.streams->streams = {stream("heads")};
    plan_of("heads").spec.interval = 10ms + 1ms * (i % 3);
    plan_of("heads").index = static_cast<std::size_t>(i / 4 % 2);
    if (i % 2 == 0) plan_.streams->streams.insert(plan_.streams->streams.begin(), stream("other"));
    gateway_->reload(plan_);
    expect_events(*client, 1);
  }
  over = true;
  others.join();
  expect_events(*client, 5);
}

INSTANTIATE_TEST_SUITE_P(Loops, StreamsReloadTest,
                         ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring), name_of_loop);

}  // namespace
}  // namespace fanfare::gateway
