#include "gateway/config_project.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>

#include "gateway/config_endpoint.h"
#include "gateway/method_rules.h"
#include "http/headers.h"
#include "server/browser_rules.h"
#include "upstream/http_node.h"

namespace fanfare::gateway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr std::uint64_t kChainIdMax = std::numeric_limits<std::int64_t>::max();
constexpr std::array<std::string_view, 1> kArchitectures{"evm"};

std::string indexed(std::string_view list, std::size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

// Maps an id to the line where it was first seen.
using SeenIds = std::unordered_map<std::string, int>;

void read_id(const MapFields& fields, std::string& out, SeenIds& seen) {
  if (!fields.read("id", out)) return;
  const YamlNode& node = *fields.find("id");
  if (!is_config_id(out)) {
    fields.report(node.location, "id", "is not an id", node.text, kConfigIdExpected);
    return;
  }
  const auto [before, fresh] = seen.emplace(out, node.location.line);
  if (!fresh) {
    fields.report(node.location, "id", "is a duplicate", node.text,
                  "another id (this one already stands in line " + std::to_string(before->second) + ")");
  }
}

bool is_header_name(std::string_view name) {
  // RFC9110§5.6.2: a token.
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

// Headers that frame a request or belong to one connection. With a second one, two parsers could see two
// different requests.
bool is_header_of_ours(std::string_view name) {
  static constexpr std::array<std::string_view, 11> kNames{
      "Content-Length", "Transfer-Encoding", "Connection",   "Keep-Alive",      "Upgrade", "TE", "Trailer",
      "Expect",         "Content-Encoding",  "Content-Type", "Proxy-Connection"};
  return http::equals_ignoring_case(name.substr(0, 14), "Sec-WebSocket-") ||
         std::ranges::any_of(kNames,
                             [&](std::string_view one) { return http::equals_ignoring_case(one, name); });
}

// The path of a header in a message. A name with other characters than letters and '-' may be a value in the wrong place.
std::string shown_header(std::string_view name, std::size_t index) {
  constexpr std::size_t kNameBytesMax = 40;
  const bool is_shown = name.size() <= kNameBytesMax && std::ranges::all_of(name, [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
                        });
  return is_shown ? "headers." + std::string(name) : indexed("headers", index);
}

// `evm: { chainId: N, ... }` of a network or an upstream.
void read_chain_id(const MapFields& evm, std::uint64_t& out) {
  evm.require({"chainId"});
  evm.read("chainId", out, 1, kChainIdMax);
}

void read_filter_limits(const MapFields& chain, eth::FilterLimits& out) {
  constexpr std::uint64_t kCountMax = 10'000'000;
  constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;
  chain.read("filterTimeout", out.idle_max, std::chrono::seconds(1), hours(24));
  chain.read("filtersMax", out.filters_max, 0, kCountMax);
  chain.read("filtersPerAddressMax", out.filters_per_owner_max, 0, kCountMax);
  chain.read("filterCriteriaBytesMax", out.criteria_bytes_max, 0, kBytesMax);
  chain.read("filterCriteriaBytesPerAddressMax", out.criteria_bytes_per_owner_max, 0, kBytesMax);
  chain.read("filterKeptBytesMax", out.kept_bytes_max, 4096, kBytesMax);
  chain.read("filterChangesBytesMax", out.changes_bytes_max, 1024, std::uint64_t{1} << 30);
}

void read_network(const ReadContext& context, const YamlNode& node, const std::string& path,
                  NetworkConfig& out) {
  out.location = node.location;
  const MapFields fields(context, node, path, {"architecture", "evm"}, MapFields::Empty::refused);
  fields.require({"architecture", "evm"});
  fields.read_word("architecture", kArchitectures);
  const YamlNode* evm = fields.find("evm");
  if (evm == nullptr) return;
  const MapFields chain(context, *evm, path + ".evm",
                        {"chainId", "pollIntervalMin", "pollIntervalMax", "reorgWindow", "resumeWindow",
                         "answerCacheBytes", "hedgeAfter", "filterTimeout", "filtersMax",
                         "filtersPerAddressMax", "filterCriteriaBytesMax", "filterCriteriaBytesPerAddressMax",
                         "filterKeptBytesMax", "filterChangesBytesMax", "chainCheckInterval"},
                        MapFields::Empty::refused);
  read_chain_id(chain, out.chain_id);
  PollSettings& poll = out.poll;
  chain.read("pollIntervalMin", poll.interval_min, milliseconds(10), hours(1));
  chain.read("pollIntervalMax", poll.interval_max, milliseconds(10), hours(1));
  chain.read("reorgWindow", poll.reorg_window_blocks, 1, 65'536);
  chain.read("resumeWindow", poll.resume_window_blocks, 1, 65'536);
  chain.read("answerCacheBytes", out.reads.cache_bytes_max, 0, std::uint64_t{1} << 40);
  chain.read("hedgeAfter", out.reads.hedge_after, Duration::zero(), hours(1));
  read_filter_limits(chain, out.reads.filters);
  chain.read("chainCheckInterval", out.chain_check_every, Duration::zero(), hours(1));
  if (poll.interval_min > poll.interval_max) {
    const bool min_given = chain.find("pollIntervalMin") != nullptr;
    const std::string_view key = min_given ? "pollIntervalMin" : "pollIntervalMax";
    chain.report(chain.find(key)->location, key,
                 min_given ? "is longer than pollIntervalMax" : "is shorter than pollIntervalMin", "",
                 "the shortest interval to be at most the longest");
  }
}

void read_methods(const ReadContext& context, const MapFields& project, MethodPlan& out) {
  const YamlNode* node = project.find("methods");
  if (node == nullptr) return;
  const MapFields fields(context, *node, project.path_of("methods"), {"allow", "deny"});
  fields.read("allow", out.allow, is_method_pattern, kMethodPatternExpected);
  fields.read("deny", out.deny, is_method_pattern, kMethodPatternExpected);
}

struct PendingUpstream {
  UpstreamConfig upstream;
  Location location;
  bool names_network = false;
};

void read_head_hints(const MapFields& fields, UpstreamPlan& out) {
  const auto word = fields.read_word("headHints", upstream::kHeadHintsNames);
  if (!word) return;
  out.head_hints = static_cast<upstream::HeadHintsChoice>(*word);
  if (!is_websocket_endpoint(out.url)) return;
  fields.report(fields.find("headHints")->location, "headHints", "has no meaning for a WebSocket endpoint",
                upstream::kHeadHintsNames[*word], "no headHints here");
}

PendingUpstream read_upstream(const ReadContext& context, const YamlNode& node, const std::string& path,
                              SeenIds& seen) {
  PendingUpstream out{.upstream = {}, .location = node.location};
  UpstreamPlan& plan = out.upstream.plan;
  const MapFields fields(context, node, path,
                         {"id", "endpoint", "headers", "timeout", "httpClient", "headHints", "connectionsMax",
                          "sourceConnectionsMax", "queuedCallsMax", "queuedCallsPerClientMax", "evm"},
                         MapFields::Empty::refused);
  fields.require({"id", "endpoint"});
  read_id(fields, plan.id, seen);
  constexpr std::string_view kUrl = "http://, https://, ws:// or wss:// followed by a host";
  if (auto endpoint = fields.scalar("endpoint", kUrl)) {
    if (const auto good = check_endpoint(endpoint->text); !good) {
      fields.report(endpoint->location, "endpoint", good.error(), endpoint_for_message(endpoint->written),
                    kUrl);
    }
    plan.url = std::move(endpoint->text);
  }
  read_headers(context, fields, plan);
  read_http_client(fields, plan);
  read_head_hints(fields, plan);
  fields.read("timeout", plan.timeout, milliseconds(1), hours(1));
  fields.read("connectionsMax", plan.limits.client_calls_max, 1, 65'536);
  // One for heads, and one for calls that might delay them.
  fields.read("sourceConnectionsMax", plan.limits.source_calls_max, 4, 65'536);
  fields.read("queuedCallsMax", plan.limits.queued_calls_max, 1, 1'000'000);
  fields.read("queuedCallsPerClientMax", plan.limits.queued_calls_per_client_max, 1, 1'000'000);
  if (const YamlNode* evm = fields.find("evm")) {
    const MapFields chain(context, *evm, path + ".evm", {"chainId"}, MapFields::Empty::refused);
    read_chain_id(chain, out.upstream.chain_id);
    out.names_network = true;
  }
  return out;
}

const NetworkConfig* find_network(const ProjectConfig& project, std::uint64_t chain_id) {
  const auto found = std::ranges::find(project.networks, chain_id, &NetworkConfig::chain_id);
  return found == project.networks.end() ? nullptr : &*found;
}

std::string chain_ids_of(const ProjectConfig& project) {
  std::string text;
  for (const NetworkConfig& network : project.networks) {
    if (!text.empty()) text += ", ";
    text += std::to_string(network.chain_id);
  }
  return text;
}

void read_networks(const ReadContext& context, const MapFields& fields, ProjectConfig& out) {
  const auto* nodes = fields.list("networks", "a list of networks with at least one entry");
  if (nodes == nullptr) return;
  for (const YamlNode& node : *nodes) {
    NetworkConfig network;
    const std::string name = indexed("networks", out.networks.size());
    read_network(context, node, fields.path_of(name), network);
    if (const NetworkConfig* before = find_network(out, network.chain_id);
        before != nullptr && network.chain_id != 0) {
      fields.report(
          node.location, name, "is a duplicate network", "evm " + std::to_string(network.chain_id),
          "another chainId (this one already stands in line " + std::to_string(before->location.line) + ")");
    }
    out.networks.push_back(network);
  }
}

// Assigns an upstream to the network it names, or to the only one there is.
void assign(const MapFields& fields, const std::string& name, PendingUpstream& pending,
            const ProjectConfig& project) {
  UpstreamConfig& upstream = pending.upstream;
  if (!pending.names_network) {
    if (project.networks.size() == 1) {
      upstream.chain_id = project.networks.front().chain_id;
      return;
    }
    fields.report(pending.location, name, "does not say which network it serves", upstream.plan.id,
                  "evm: { chainId: N } with one of " + chain_ids_of(project));
    return;
  }
  if (upstream.chain_id != 0 && find_network(project, upstream.chain_id) == nullptr) {
    fields.report(pending.location, name, "serves a network that the project does not have",
                  "evm " + std::to_string(upstream.chain_id),
                  "evm: { chainId: N } with one of " + chain_ids_of(project));
  }
}

void read_upstreams(const ReadContext& context, const MapFields& fields, ProjectConfig& out) {
  const auto* nodes = fields.list("upstreams", "a list of upstreams with at least one entry");
  if (nodes == nullptr) return;
  SeenIds seen;
  for (const YamlNode& node : *nodes) {
    const std::string name = indexed("upstreams", out.upstreams.size());
    PendingUpstream pending = read_upstream(context, node, fields.path_of(name), seen);
    if (!out.networks.empty()) assign(fields, name, pending, out);
    out.upstreams.push_back(std::move(pending.upstream));
  }
  // An upstream with another error is the likelier reason, and stands further down.
  if (context.diagnostics.first()) return;
  for (std::size_t i = 0; i < out.networks.size(); ++i) {
    const NetworkConfig& network = out.networks[i];
    const auto serves = [&](const UpstreamConfig& upstream) { return upstream.chain_id == network.chain_id; };
    if (std::ranges::any_of(out.upstreams, serves)) continue;
    fields.report(network.location, indexed("networks", i), "has no upstream",
                  "evm " + std::to_string(network.chain_id), "at least one upstream that serves it");
  }
}

}  // namespace

bool is_config_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 && !text.starts_with('.') &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_' || c == '.';
         });
}

void read_headers(const ReadContext& context, const MapFields& upstream, UpstreamPlan& out) {
  constexpr std::string_view kExpected = "a map of header names and their values";
  const YamlNode* node = upstream.find("headers");
  if (node == nullptr || node->kind == YamlNode::Kind::null) return;
  if (node->kind != YamlNode::Kind::map) {
    upstream.report(node->location, "headers", "is not a map", "", kExpected);
    return;
  }
  for (const YamlEntry& entry : node->entries) {
    if (!is_header_name(entry.key)) {
      // "Authorization: Bearer TOKEN" in quotes is a name to YAML.
      upstream.report(entry.key_location, "headers", "has a malformed header name", "",
                      "letters, digits and '-'");
      continue;
    }
    const std::string key = shown_header(entry.key, static_cast<std::size_t>(&entry - node->entries.data()));
    if (is_header_of_ours(entry.key)) {
      upstream.report(entry.key_location, key, "cannot be set: the gateway sets it itself", "",
                      "another header");
      continue;
    }
    if (entry.value.kind != YamlNode::Kind::scalar) {
      upstream.report(entry.value.location, key, "is not text", "", "the value of the header");
      continue;
    }
    auto expanded = expand_environment(entry.value.text, context.environment);
    if (!expanded) {
      context.diagnostics.report(entry.value.location, upstream.path_of(key) + " " + expanded.error());
      continue;
    }
    // RFC9110§5.5: a line break inside a value would begin another header.
    if (expanded->text.find_first_of("\r\n") != std::string::npos || expanded->text.contains('\0')) {
      upstream.report(entry.value.location, key, "has a line end inside", "", "one line");
      continue;
    }
    out.headers.emplace_back(entry.key, std::move(expanded->text));
  }
}

void read_http_client(const MapFields& fields, UpstreamPlan& out) {
  const auto word = fields.read_word("httpClient", upstream::kHttpClientNames);
  if (!word) return;
  out.http_client = static_cast<upstream::HttpClientChoice>(*word);
  const Location location = fields.find("httpClient")->location;
  if (is_websocket_endpoint(out.url)) {
    fields.report(location, "httpClient", "has no meaning for a WebSocket endpoint",
                  upstream::kHttpClientNames[*word], "no httpClient here");
  } else if (const auto lacking = upstream::lacking_for_builtin(
                 {.url = out.url, .headers = out.headers, .client = out.http_client})) {
    fields.report(location, "httpClient", "cannot be used: the built-in client does not support " + *lacking,
                  upstream::kHttpClientNames[*word], "auto or libcurl");
  }
}

void read_projects(const ReadContext& context, const MapFields& file, std::vector<ProjectConfig>& out) {
  const auto* nodes = file.list("projects", "a list of projects with at least one entry");
  if (nodes == nullptr) return;
  SeenIds seen;
  for (const YamlNode& node : *nodes) {
    ProjectConfig project;
    const MapFields fields(context, node, indexed("projects", out.size()),
                           {"id", "networks", "upstreams", "methods", "allowedOrigins"},
                           MapFields::Empty::refused);
    fields.require({"id", "networks", "upstreams"});
    read_id(fields, project.id, seen);
    fields.read("allowedOrigins", project.origins, server::is_origin_pattern, server::kOriginPatternExpected);
    read_methods(context, fields, project.methods);
    read_networks(context, fields, project);
    read_upstreams(context, fields, project);
    out.push_back(std::move(project));
  }
}

}  // namespace fanfare::gateway
