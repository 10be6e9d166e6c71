#include "gateway/reload/upstream_diff.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/reload/shown_value.h"
#include "upstream/head_hints_choice.h"
#include "upstream/http_client_choice.h"
#include "upstream/url.h"

namespace fanfare::gateway {
namespace {

void add_changes_of_node(const std::string& name, const UpstreamPlan& present, const UpstreamPlan& wanted,
                         std::vector<PlanChange>& changes) {
  const auto add = [&](PlanChange::Kind kind, std::string text) {
    changes.push_back({.kind = kind, .text = std::move(text)});
  };
  const auto tell = [&](std::string_view key, const auto& from, const auto& to) {
    if (from != to) add(PlanChange::Kind::changed, arrow(name + " " + std::string(key), from, to));
  };
  if (present.url != wanted.url) {
    const std::string from = upstream::redacted(present.url);
    const std::string to = upstream::redacted(wanted.url);
    add(PlanChange::Kind::changed, from == to ? name + " endpoint: a part that is not shown"
                                              : name + " endpoint: " + from + " -> " + to);
  }
  if (present.headers != wanted.headers) add(PlanChange::Kind::changed, name + " headers");
  tell("timeout", present.timeout, wanted.timeout);
  tell("httpClient", std::string(upstream::name_of(present.http_client)),
       std::string(upstream::name_of(wanted.http_client)));
  tell("headHints", std::string(upstream::name_of(present.head_hints)),
       std::string(upstream::name_of(wanted.head_hints)));
  tell("connectionsMax", present.limits.client_calls_max, wanted.limits.client_calls_max);
  tell("sourceConnectionsMax", present.limits.source_calls_max, wanted.limits.source_calls_max);
  tell("queuedCallsMax", present.limits.queued_calls_max, wanted.limits.queued_calls_max);
  tell("queuedCallsPerClientMax", present.limits.queued_calls_per_client_max,
       wanted.limits.queued_calls_per_client_max);
}

}  // namespace

void add_changes_of_nodes(const std::string& prefix, std::span<const UpstreamPlan> present,
                          std::span<const UpstreamPlan> wanted, std::vector<PlanChange>& changes) {
  for (const UpstreamPlan& node : present) {
    const auto found = std::ranges::find(wanted, node.id, &UpstreamPlan::id);
    if (found == wanted.end()) {
      changes.push_back({.kind = PlanChange::Kind::removed, .text = prefix + node.id});
    } else {
      add_changes_of_node(prefix + node.id, node, *found, changes);
    }
  }
  for (const UpstreamPlan& node : wanted) {
    if (std::ranges::find(present, node.id, &UpstreamPlan::id) != present.end()) continue;
    changes.push_back({.kind = PlanChange::Kind::added, .text = prefix + node.id});
  }
}

}  // namespace fanfare::gateway
