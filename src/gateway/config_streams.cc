#include "gateway/config_streams.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "gateway/config_endpoint.h"
#include "gateway/config_project.h"
#include "gateway/config_stream_fields.h"

namespace fanfare::gateway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

void read_limits(const ReadContext& context, const YamlNode& node, streams::Limits& out) {
  const MapFields fields(
      context, node, "streams.limits",
      {"connectionsMax", "subscriptionsPerConnectionMax", "messageBytesMax", "messagesPerSecond",
       "historyAnswerBytesMax", "outboxBytesMax", "reconnectMin", "reconnectMax", "heartbeat"});
  fields.read("connectionsMax", out.connections_max, 1, 10'000'000);
  fields.read("subscriptionsPerConnectionMax", out.subscriptions_per_connection_max, 1, 10'000);
  fields.read("messageBytesMax", out.message_bytes_max, 256, 1 << 20);
  fields.read("messagesPerSecond", out.messages_per_second, 1, 100'000);
  fields.read("historyAnswerBytesMax", out.history_answer_bytes_max, 1024, 1 << 30);
  fields.read("outboxBytesMax", out.outbox_bytes_max, 1 << 16, 1 << 30);
  fields.read("reconnectMin", out.reconnect_min, milliseconds(10), hours(1));
  fields.read("reconnectMax", out.reconnect_max, milliseconds(10), hours(24));
  fields.read("heartbeat", out.heartbeat, milliseconds(100), hours(1));
  if (out.reconnect_min > out.reconnect_max) {
    fields.report(fields.location(), "reconnectMin", "is longer than reconnectMax", "",
                  "the shortest wait to be at most the longest");
  }
}

void read_upstreams(const ReadContext& context, const MapFields& file, std::vector<UpstreamPlan>& out) {
  if (file.find("upstreams") == nullptr) return;
  const auto* const nodes = file.list("upstreams", "a list of nodes with at least one entry");
  if (nodes == nullptr) return;
  for (const YamlNode& node : *nodes) {
    UpstreamPlan& plan = out.emplace_back();
    const MapFields fields(context, node, "streams.upstreams[" + std::to_string(out.size() - 1) + "]",
                           {"id", "endpoint", "headers", "timeout", "httpClient"}, MapFields::Empty::refused);
    fields.require({"id", "endpoint"});
    fields.read("id", plan.id);
    if (std::ranges::count(out, plan.id, &UpstreamPlan::id) > 1) {
      fields.report(node.location, "id", "is a duplicate", plan.id, "another id");
    }
    constexpr std::string_view kUrl = "http:// or https:// followed by a host";
    if (auto endpoint = fields.scalar("endpoint", kUrl)) {
      const auto good = check_endpoint(endpoint->text);
      if (!good || endpoint->text.starts_with("ws")) {
        fields.report(endpoint->location, "endpoint", good ? "is a WebSocket" : good.error(),
                      endpoint_for_message(endpoint->written), kUrl);
      }
      plan.url = std::move(endpoint->text);
    }
    read_headers(context, fields, plan);
    read_http_client(fields, plan);
    fields.read("timeout", plan.timeout, milliseconds(1), hours(1));
  }
}

void read_new_only(const ReadContext& context, const MapFields& stream, streams::StreamSpec& out) {
  const YamlNode* const node = stream.find("newOnly");
  if (node == nullptr) return;
  const MapFields fields(context, *node, stream.path_of("newOnly"), {"list", "key"},
                         MapFields::Empty::refused);
  fields.require({"list", "key"});
  streams::NewOnly& wanted = out.new_only.emplace();
  fields.read("list", wanted.list);
  fields.read("key", wanted.key);
}

// Values replace each other, new entries do not.
void read_slow_readers(const MapFields& fields, streams::StreamSpec& out) {
  static constexpr std::array<std::string_view, 3> kPolicies{"close", "dropOldest", "keepLatest"};
  if (out.new_only) out.slow_readers = {.when_full = WhenFull::close};
  if (const auto word = fields.read_word("slowReaders", kPolicies)) {
    out.slow_readers.when_full = static_cast<WhenFull>(*word);
  }
}

void read_source(const MapFields& fields, const StreamsConfig& config, StreamDefinition& out) {
  const YamlNode* const network = fields.find("network");
  const YamlNode* const upstream = fields.find("upstream");
  if ((network != nullptr) == (upstream != nullptr)) {
    fields.report(fields.location(), "network", network == nullptr ? "is missing" : "stands beside upstream",
                  "", "either network (PROJECT/CHAINID) or upstream (an id of streams.upstreams)");
    return;
  }
  std::string name;
  if (network != nullptr) {
    if (!fields.read("network", name)) return;
    out.network = std::move(name);
    out.network_at = network->location;
    return;
  }
  if (!fields.read("upstream", name)) return;
  const auto found = std::ranges::find(config.upstreams, name, &UpstreamPlan::id);
  if (found == config.upstreams.end()) {
    fields.report(upstream->location, "upstream", "is unknown", name, "an id of streams.upstreams");
    return;
  }
  out.plan.source = StreamPlan::Source::upstream;
  out.plan.index = static_cast<std::size_t>(found - config.upstreams.begin());
}

// At the place in the file that the path leads to, as far as it is there.
void report_problem(const ReadContext& context, const YamlNode& definition, std::string path,
                    const streams::SpecProblem& problem) {
  const YamlNode* at = &definition;
  for (const std::string& key : problem.path) {
    path += "." + key;
    const auto found = std::ranges::find(at->entries, key, &YamlEntry::key);
    if (found != at->entries.end()) at = &found->value;
  }
  const std::string what = problem.what.empty() ? "cannot be used" : problem.what;
  context.diagnostics.report(
      at->location, path + (what.front() == '\'' ? ": " : " ") + what + ", expected " + problem.expected);
}

void read_definition(const ReadContext& context, const YamlNode& node, const StreamsConfig& config,
                     StreamDefinition& out) {
  streams::StreamSpec& spec = out.plan.spec;
  const MapFields fields(context, node, out.path,
                         {"name", "interval", "network", "upstream", "calls", "fields", "onChange", "newOnly",
                          "history", "historyBytes", "slowReaders", "relay"},
                         MapFields::Empty::refused);
  fields.require({"name", "interval", "calls", "fields"});
  if (fields.read("name", spec.name) && !streams::is_stream_name(spec.name)) {
    fields.report(fields.find("name")->location, "name", "cannot be the name of a stream", spec.name,
                  streams::kNameExpected);
  }
  fields.read("interval", spec.interval, milliseconds(10), hours(24));
  read_source(fields, config, out);
  if (const YamlNode* const calls = fields.find("calls")) {
    read_stream_calls(context, *calls, fields.path_of("calls"), spec.calls);
  }
  if (const YamlNode* const values = fields.find("fields")) {
    read_stream_fields(context, *values, fields.path_of("fields"), spec.fields);
  }
  fields.read("onChange", spec.on_change);
  read_new_only(context, fields, spec);
  fields.read("history", spec.history_messages, 2, 1'000'000);
  fields.read("historyBytes", spec.history_bytes, 1 << 16, std::uint64_t{1} << 32);
  read_slow_readers(fields, spec);
  fields.read("relay", out.plan.relayed);
  // The first problem of the whole file is reported, and any of this map stands behind its beginning.
  if (context.diagnostics.first()) return;
  if (const auto problem = streams::find_problem(spec)) report_problem(context, node, out.path, *problem);
}

}  // namespace

void read_streams(const ReadContext& context, const YamlNode& node, StreamsConfig& out) {
  const MapFields fields(context, node, "streams", {"websocketPort", "limits", "upstreams", "definitions"},
                         MapFields::Empty::refused);
  fields.require({"definitions"});
  std::uint16_t port = 0;
  if (fields.read("websocketPort", port, 0, 65535)) {
    out.websocket_port = port;
    out.port_at = fields.find("websocketPort")->location;
  }
  if (const YamlNode* const limits = fields.find("limits")) read_limits(context, *limits, out.limits);
  read_upstreams(context, fields, out.upstreams);
  const auto* const nodes = fields.list("definitions", "a list of streams with at least one entry");
  if (nodes == nullptr) return;
  for (const YamlNode& one : *nodes) {
    StreamDefinition definition;
    definition.location = one.location;
    definition.path = "streams.definitions[" + std::to_string(out.definitions.size()) + "]";
    read_definition(context, one, out, definition);
    const std::string& name = definition.plan.spec.name;
    if (std::ranges::any_of(out.definitions,
                            [&](const auto& other) { return other.plan.spec.name == name; })) {
      context.diagnostics.report(one.location, definition.path + ".name is a duplicate (" +
                                                   quoted_for_message(name) + "), expected another name");
    }
    out.definitions.push_back(std::move(definition));
  }
}

}  // namespace fanfare::gateway
