#include "gateway/config_streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "gateway/config.h"
#include "gateway/config_stream_fields.h"
#include "gateway/config_summary.h"
#include "gateway/mount_plans.h"
#include "gateway/stream_nodes.h"

namespace fanfare::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using streams::FieldSpec;
using testing::EndsWith;
using testing::HasSubstr;

const EnvironmentLookup kNoVariables = [](std::string_view) { return std::nullopt; };

std::string file_text(const std::string& path) {
  std::ifstream file(std::string(FANFARE_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string with_definition(std::string_view more) {
  return "streams:\n"
         "  upstreams: [{ id: node, endpoint: \"http://127.0.0.1:1/json_rpc\" }]\n"
         "  definitions:\n"
         "    - { name: s, interval: 1s, upstream: node, calls: { r: m }, fields: { f: /r }" +
         std::string(more) + " }\n";
}

ServePlan plan_of(std::string_view text) {
  const auto config = parse_config(text, "g.yaml", kNoVariables);
  EXPECT_TRUE(config.has_value()) << config.error().message();
  return config ? plan_from(*config) : ServePlan();
}
streams::StreamSpec spec_of(std::string_view text) {
  const ServePlan plan = plan_of(text);
  return plan.streams->streams.at(0).spec;
}
std::string error_of(std::string_view text) {
  const auto config = parse_config(text, "g.yaml", kNoVariables);
  return config ? "none" : config.error().message();
}

// Fields in flow style, as the only ones of a stream.
FieldSpec field_of(std::string_view yaml) {
  const std::string text =
      "streams:\n  upstreams: [{ id: n, endpoint: \"http://127.0.0.1:1\" }]\n  definitions:\n"
      "    - { name: s, interval: 1s, upstream: n, calls: { r: m }, fields: { f: " +
      std::string(yaml) + " } }\n";
  const auto spec = spec_of(text);
  return spec.fields.empty() ? FieldSpec() : spec.fields[0];
}

TEST(StreamsConfig, TheDefaultStreamsAreTheExample) {
  EXPECT_EQ(file_text("examples/streams/devchain.yaml"), dev_streams_text());
  const StreamsPlan plan = dev_streams();
  ASSERT_EQ(plan.streams.size(), 4U);
  EXPECT_EQ(plan.streams[0].spec.name, "network_metrics");
  EXPECT_EQ(plan.streams[0].spec.interval, seconds(2));
  EXPECT_EQ(plan.streams[1].spec.name, "markets_health");
  EXPECT_EQ(plan.streams[1].spec.interval, seconds(5));
  EXPECT_EQ(plan.streams[2].spec.name, "receipts");
  EXPECT_EQ(plan.streams[2].spec.interval, seconds(3));
  EXPECT_EQ(plan.streams[2].spec.slow_readers.when_full, WhenFull::close);
  EXPECT_EQ(plan.streams[3].spec.name, "peers");
  EXPECT_EQ(plan.streams[3].spec.interval, seconds(10));
}

TEST(StreamsConfig, TheExamplesAreValid) {
  for (const std::string name : {"anvil.yaml", "monerod.yaml"}) {
    const std::string error = error_of(file_text("examples/streams/" + name));
    EXPECT_EQ(error, "none") << name;
  }
}

TEST(StreamsConfig, StreamsAloneNeedNoProjects) {
  const ServePlan plan = plan_of(with_definition(""));
  EXPECT_TRUE(plan.networks.empty());
  ASSERT_TRUE(plan.streams);
  EXPECT_EQ(plan.streams->limits, streams::Limits());
  ASSERT_EQ(plan.streams->upstreams.size(), 1U);
  EXPECT_EQ(plan.streams->upstreams[0].url, "http://127.0.0.1:1/json_rpc");
  EXPECT_EQ(plan.streams->streams[0].source, StreamPlan::Source::upstream);
  ASSERT_EQ(plan.listeners.size(), 1U);
  EXPECT_THAT(plan.listeners[0].mounts, testing::IsSupersetOf(stream_mounts()));
  EXPECT_THAT(summary_of(plan), HasSubstr("listen    127.0.0.1:4000 streams at /streams\n"));
  EXPECT_THAT(summary_of(plan), testing::Not(HasSubstr("websocket ")));
  const streams::StreamSpec spec = spec_of(with_definition(""));
  EXPECT_EQ(spec.calls[0].params, "[]");
  EXPECT_EQ(spec.history_messages, 300U);
  EXPECT_EQ(spec.slow_readers.when_full, WhenFull::keep_latest);
  EXPECT_EQ(error_of("logLevel: info\n"),
            "g.yaml:1:1: the file has no key \"projects\", expected it to be given");
}

TEST(StreamsConfig, APortOfItsOwnServesTheWebSocketEverywhere) {
  const ServePlan plan =
      plan_of("server: { httpPort: 8000 }\n" + with_definition("") + "  websocketPort: 8080\n");
  ASSERT_EQ(plan.listeners.size(), 2U);
  EXPECT_EQ(plan.listeners[0].at.port, 8000);
  EXPECT_EQ(plan.listeners[1].at.port, 8080);
  EXPECT_EQ(plan.listeners[1].mounts, stream_port_mounts());
  EXPECT_THAT(summary_of(plan), HasSubstr("listen    127.0.0.1:8080 streams over WebSocket\n"));
  EXPECT_THAT(summary_of(plan), EndsWith("streams   upstream node http://127.0.0.1:1/***, timeout 10s\n"
                                         "stream    s every 1s from node, history 300\n"));
  EXPECT_EQ(error_of("server: { httpPort: 8080 }\n" + with_definition("") + "  websocketPort: 8080\n"),
            "g.yaml:6:18: streams.websocketPort is in use by another part of the file (\"8080\"), expected "
            "another port");
}

TEST(StreamsConfig, ReadsLimits) {
  const ServePlan plan = plan_of(with_definition("") +
                                 "  limits: { connectionsMax: 1, subscriptionsPerConnectionMax: 2, "
                                 "messageBytesMax: 256, messagesPerSecond: 4,\n"
                                 "    historyAnswerBytesMax: 1024, outboxBytesMax: 65536, reconnectMin: 1s, "
                                 "reconnectMax: 2s, heartbeat: 3s }\n");
  const streams::Limits& limits = plan.streams->limits;
  EXPECT_EQ(limits.connections_max, 1U);
  EXPECT_EQ(limits.subscriptions_per_connection_max, 2U);
  EXPECT_EQ(limits.message_bytes_max, 256U);
  EXPECT_EQ(limits.messages_per_second, 4U);
  EXPECT_EQ(limits.history_answer_bytes_max, 1024U);
  EXPECT_EQ(limits.outbox_bytes_max, 65536U);
  EXPECT_EQ(limits.reconnect_min, seconds(1));
  EXPECT_EQ(limits.reconnect_max, seconds(2));
  EXPECT_EQ(limits.heartbeat, seconds(3));
  EXPECT_THAT(error_of(with_definition("") + "  limits: { reconnectMin: 3s, reconnectMax: 2s }\n"),
              HasSubstr("streams.limits.reconnectMin is longer than reconnectMax"));
}

TEST(StreamsConfig, TimesOfTheWebSocketAreThoseOfTheServer) {
  const auto limits =
      plan_of("server: { websocket: { pingInterval: 7s, slowTimeout: 3s } }\n" + with_definition(""))
          .streams->limits;
  EXPECT_EQ(limits.ping_interval, seconds(7));
  EXPECT_EQ(limits.slow_timeout, seconds(3));
}

TEST(StreamsConfig, ReadsTheOptionsOfAStream) {
  const streams::StreamSpec spec =
      spec_of(with_definition(", onChange: true, history: 2, historyBytes: 65536, slowReaders: dropOldest"));
  EXPECT_TRUE(spec.on_change);
  EXPECT_EQ(spec.history_messages, 2U);
  EXPECT_EQ(spec.history_bytes, 65536U);
  EXPECT_EQ(spec.slow_readers.when_full, WhenFull::drop_oldest);
}

TEST(StreamsConfig, ReadsEveryKindOfField) {
  EXPECT_EQ(field_of("/r"), (FieldSpec{.name = "f", .pointer = "/r"}));
  EXPECT_EQ(field_of("{ const: evm }").constant, streams::Json::of(std::string_view("evm")));
  EXPECT_EQ(field_of("{ const: [1, true, null, \"2\", { a: x }] }").constant.write(),
            R"([1,true,null,"2",{"a":"x"}])");
  EXPECT_EQ(field_of("{ count: /r }"),
            (FieldSpec{.name = "f", .kind = FieldSpec::Kind::count, .pointer = "/r"}));
  EXPECT_EQ(field_of("{ pointer: /r, as: number, minus: /r/b, perSecond: true, scale: -1e-3, add: 2.5, min: "
                     "-1, max: 9, decimals: 2, default: 0 }"),
            (FieldSpec{.name = "f",
                       .pointer = "/r",
                       .minus = "/r/b",
                       .as = FieldSpec::As::number,
                       .per_second = true,
                       .scale = -1e-3,
                       .add = 2.5,
                       .min = -1,
                       .max = 9,
                       .decimals = 2,
                       .fallback = streams::Json::of(std::uint64_t{0})}));
  const FieldSpec list = field_of("{ each: /r, fields: { a: /a, whole: \"\" } }");
  EXPECT_EQ(list.kind, FieldSpec::Kind::list);
  ASSERT_EQ(list.fields.size(), 2U);
  EXPECT_EQ(list.fields[1].pointer, "");
  EXPECT_EQ(field_of("{ fields: { a: /r } }").kind, FieldSpec::Kind::object);
}

TEST(StreamsConfig, CallsHaveParametersByPositionOrName) {
  const auto spec = spec_of(
      "streams:\n  upstreams: [{ id: n, endpoint: \"http://127.0.0.1:1\" }]\n  definitions:\n"
      "    - { name: s, interval: 1s, upstream: n, fields: { f: /a },\n"
      "        calls: { a: { method: x, params: [latest, false, 7, \"0x1\"] }, b: { method: y, params: { k: "
      "v } } } }\n");
  EXPECT_EQ(spec.calls[0].params, R"(["latest",false,7,"0x1"])");
  EXPECT_EQ(spec.calls[1].params, R"({"k":"v"})");
}

TEST(StreamsConfig, ErrorsNameTheirPlace) {
  EXPECT_EQ(error_of("streams: { definitions: [] }\n"),
            "g.yaml:1:25: streams.definitions is an empty list, expected a list of streams with at least one "
            "entry");
  EXPECT_THAT(error_of(with_definition(", color: red")),
              HasSubstr("unknown key \"color\" in streams.definitions[0]"));
  EXPECT_THAT(
      error_of(with_definition(", history: 1")),
      HasSubstr("streams.definitions[0].history is out of range (\"1\"), expected a whole number from 2 to"));
  EXPECT_THAT(error_of(with_definition(", network: main/1")), HasSubstr("network stands beside upstream"));
  EXPECT_THAT(error_of(with_definition(", newOnly: { list: f, key: id }")),
              HasSubstr("g.yaml:4:101: streams.definitions[0].newOnly.list: 'f' is not a list among the "
                        "fields, expected a field with each"));
  const auto with = [](std::string_view from, std::string_view to) {
    std::string text = with_definition("");
    text.replace(text.find(from), from.size(), to);
    return error_of(text);
  };
  EXPECT_THAT(with("name: s", "name: error"), HasSubstr("cannot be the name of a stream (\"error\")"));
  EXPECT_THAT(with("interval: 1s", "interval: 9ms"), HasSubstr("interval is too short"));
  EXPECT_EQ(with("interval: 1s", "interval: 10ms"), "none");
  EXPECT_THAT(with("upstream: node", "upstream: other"), HasSubstr("upstream is unknown (\"other\")"));
  EXPECT_THAT(with("upstream: node", "network: main/1"),
              HasSubstr("network is unknown (\"main/1\"), expected PROJECT/CHAINID of the file"));
  EXPECT_THAT(with("f: /r", "f: r"), HasSubstr("fields.f is not a JSON pointer (\"r\")"));
  EXPECT_THAT(with("f: /r", "f: { pointer: /r, count: /r }"),
              HasSubstr("count stands beside another source"));
  EXPECT_THAT(with("f: /r", "f: { as: number }"), HasSubstr("pointer is missing"));
  EXPECT_THAT(
      with("f: /r", "f: { poniter: /r }"),
      testing::StartsWith("g.yaml:4:80: unknown key \"poniter\" in streams.definitions[0].fields.f (did you "
                          "mean \"pointer\"?)"));
  EXPECT_EQ(with("f: /r", "f: /g"),
            "g.yaml:4:78: streams.definitions[0].fields.f: '/g' does not begin with the name of a call, "
            "expected /poll, /r");
  EXPECT_EQ(with("f: /r", "f: { fields: { g: { pointer: /r, as: text, scale: 2 } } }"),
            "g.yaml:4:112: streams.definitions[0].fields.f.fields.g.as is text, but the other options make "
            "it a number, "
            "expected as: number");
  EXPECT_THAT(with("r: m", "r: ''"), HasSubstr("definitions[0].calls.r has no method, expected the method"));
  EXPECT_THAT(with("f: /r", "f: /poll/x"),
              HasSubstr("fields.f: '/poll/x' is never there, expected /poll/time or"));
  EXPECT_THAT(with("f: /r", "f: { pointer: /r, scale: x }"), HasSubstr("scale is not a number (\"x\")"));
  EXPECT_THAT(with("f: /r", "f: { pointer: /r, decimals: 16 }"), HasSubstr("decimals is out of range"));
  EXPECT_THAT(with("http://127.0.0.1:1/json_rpc", "ws://127.0.0.1:1"), HasSubstr("endpoint is a WebSocket"));
  const std::string twice =
      with_definition("") +
      "    - { name: s, interval: 1s, upstream: node, calls: { r: m }, fields: { f: /r } }\n";
  EXPECT_THAT(error_of(twice), HasSubstr("streams.definitions[1].name is a duplicate (\"s\")"));
}

TEST(StreamNode, FailuresAreToldInOurWords) {
  using upstream::Failure;
  using upstream::FailureKind;
  EXPECT_EQ(words_for({.kind = FailureKind::connect, .message = "10.0.0.1:8545 refused"}),
            "the node cannot be reached");
  EXPECT_EQ(words_for({.kind = FailureKind::timeout}), "the node does not answer in time");
  EXPECT_EQ(words_for({.kind = FailureKind::http_status, .http_status = 502}),
            "the node answered with HTTP status 502");
}

class OneAnswer final : public upstream::Backend {
 public:
  void call(std::string body, upstream::CallOptions, upstream::Done done) override {
    asked = std::move(body);
    done(upstream::Reply{.body = answer});
  }
  std::string_view name() const override { return "one"; }
  std::string asked;
  std::string answer;
};

TEST(StreamNode, AsksJsonRpcAndTakesTheResult) {
  OneAnswer backend;
  StreamNode node(backend);
  const auto call = [&](std::string answer) {
    backend.answer = std::move(answer);
    std::string got;
    node.call({.name = "r", .method = "m", .params = "[1]"},
              [&](streams::Node::Result result) { got = result ? *result : "failed: " + result.error(); });
    return got;
  };
  EXPECT_EQ(call(R"({"jsonrpc":"2.0","id":1,"result":{"a":[1]}})"), R"({"a":[1]})");
  EXPECT_EQ(backend.asked, R"({"jsonrpc":"2.0","id":1,"method":"m","params":[1]})");
  EXPECT_EQ(call(R"({"id":1,"error":{"code":-32601,"message":"the node's own words"}})"),
            "failed: the node answered with error -32601");
  EXPECT_EQ(call("<html>"), "failed: the node's answer is not JSON-RPC");
  const std::string frame = R"({"jsonrpc":"2.0","id":1,"result":""})";
  const std::string longest = R"({"jsonrpc":"2.0","id":1,"result":")" +
                              std::string(kStreamAnswerBytesMax - frame.size(), 'x') + "\"}";
  EXPECT_EQ(call(longest).size(), kStreamAnswerBytesMax - frame.size() + 2);
  EXPECT_EQ(call(" " + longest), "failed: the node's answer is too long");
}

}  // namespace
}  // namespace fanfare::gateway
