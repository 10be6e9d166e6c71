#include "gateway/reload/plan_diff.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "access/plan.h"
#include "gateway/reload/shown_value.h"
#include "upstream/url.h"

namespace fanfare::gateway {
namespace {

// Compares settings one by one, and makes the result on the way.
class Differ {
 public:
  Differ(const ServePlan& running, const ServePlan& wanted)
      : wanted_(wanted), now_(running), told_(running), before_(running) {}

  PlanDiff run() {
    compare_process();
    compare_websocket();
    compare_http();
    compare_limits();
    compare_listeners();
    compare_parts();
    compare_networks();
    if (told_ != wanted_) restart("another setting");
    if (!refusal_.empty()) now_ = before_;
    return {.changes = std::move(changes_), .result = std::move(now_), .refusal = std::move(refusal_)};
  }

 private:
  void add(PlanChange::Kind kind, std::string text) {
    changes_.push_back({.kind = kind, .text = std::move(text)});
  }
  void restart(std::string text) { add(PlanChange::Kind::needs_restart, std::move(text)); }
  template <typename Value>
  static std::string arrow(const std::string& name, const Value& present, const Value& wanted) {
    return name + ": " + shown(present) + " -> " + shown(wanted);
  }

  // `of`: finds the setting in a plan.
  template <typename Of>
  void live(const std::string& name, Of of) {
    if (of(told_) == of(wanted_)) return;
    add(PlanChange::Kind::changed, arrow(name, of(told_), of(wanted_)));
    of(now_) = of(wanted_);
    of(told_) = of(wanted_);
  }
  template <typename Of>
  void fixed(const std::string& name, Of of) {
    if (of(told_) == of(wanted_)) return;
    restart(arrow(name, of(told_), of(wanted_)));
    of(told_) = of(wanted_);
  }
  // A part of which only is told that it differs.
  template <typename Of>
  void fixed_part(std::string name, Of of) {
    if (of(told_) == of(wanted_)) return;
    restart(std::move(name));
    of(told_) = of(wanted_);
  }

  void compare_process();
  void compare_access();
  void compare_websocket();
  void compare_http();
  void compare_limits();
  void compare_listeners();
  void compare_parts();
  void compare_networks();
  void compare_network(NetworkPlan& present, const NetworkPlan& wanted);
  void compare_reads(NetworkPlan& present, const NetworkPlan& wanted);
  void compare_nodes(NetworkPlan& present, const NetworkPlan& wanted);
  void compare_node(const std::string& name, const UpstreamPlan& present, const UpstreamPlan& wanted);
  bool is_polled(std::size_t network) const;

  template <typename Value>
  void live_value(const std::string& name, Value& present, const Value& wanted) {
    if (present == wanted) return;
    add(PlanChange::Kind::changed, arrow(name, present, wanted));
    present = wanted;
  }
  template <typename Value>
  void fixed_value(const std::string& name, const Value& present, const Value& wanted) {
    if (present != wanted) restart(arrow(name, present, wanted));
  }

  const ServePlan& wanted_;
  ServePlan now_;   // what runs after the reload
  ServePlan told_;  // the running plan with all that was compared so far taken from the wanted one
  const ServePlan& before_;
  std::vector<PlanChange> changes_;
  std::string refusal_;
};

#define SETTING(path) ([](auto& plan) -> auto& { return plan.path; })

void Differ::compare_process() {
  live("logLevel", SETTING(log_level));
  live("server.shutdownTimeout", SETTING(shutdown_timeout));
  live("server.shutdownSpread", SETTING(shutdown_spread));
  live("server.shutdownClosesPerSecond", SETTING(shutdown_closes_per_second));
  live("server.upgradeTimeout", SETTING(upgrade_timeout));
  live("server.allowedHosts", SETTING(browsers.hosts));
  live("server.allowedOrigins", SETTING(browsers.origins));
  fixed("server.threads", SETTING(loops));
  fixed("server.upstreamThreads", SETTING(upstream_threads_max));
  fixed("server.limits.receivedBytesPerProjectMax", SETTING(received_bytes_per_project_max));
  fixed_part("the kind of the event loop", SETTING(loop_kind));
  compare_access();
}

// Secrets are in it, as hashes: only numbers are shown.
void Differ::compare_access() {
  if ((told_.access == nullptr) != (wanted_.access == nullptr)) {
    restart(wanted_.access == nullptr ? "access: removed" : "access: added");
    refusal_ = "access control cannot be turned on or off without a restart, and nothing else is applied";
    told_.access = wanted_.access;
    told_.first_message_within = wanted_.first_message_within;
    told_.cookie_file = wanted_.cookie_file;
    told_.cookie_roles = wanted_.cookie_roles;
    told_.access_files = wanted_.access_files;
    told_.access_check_every = wanted_.access_check_every;
    return;
  }
  if (told_.access != wanted_.access) {
    add(PlanChange::Kind::changed, "access: read again, with " +
                                       std::to_string(wanted_.access->roles.size()) + " roles, " +
                                       std::to_string(wanted_.access->keys.size()) + " keys, " +
                                       std::to_string(wanted_.access->users.size()) + " users");
    now_.access = told_.access = wanted_.access;
  }
  live("access.firstMessageWithin", SETTING(first_message_within));
  fixed("access.cookieFile", SETTING(cookie_file));
  live("access: roles of the cookie", SETTING(cookie_roles));
  live("access: files with keys", SETTING(access_files));
  live("access.checkFilesEvery", SETTING(access_check_every));
}

void Differ::compare_websocket() {
  const auto name = [](std::string_view key) { return "server.websocket." + std::string(key); };
  live(name("enabled"), SETTING(websocket.enabled));
  live(name("maxConnectionsPerNetwork"), SETTING(websocket.connections_per_network_max));
  fixed(name("maxSubscriptionsPerConnection"), SETTING(websocket.subscriptions_per_connection_max));
  live(name("pingInterval"), SETTING(websocket.ping_interval));
  live(name("pongTimeout"), SETTING(websocket.pong_timeout));
  fixed(name("readBufferSize"), SETTING(websocket.read_buffer_bytes));
  live(name("writeBufferSize"), SETTING(websocket.write_buffer_bytes));
  live(name("maxMessageBytes"), SETTING(websocket.message_bytes_max));
  live(name("outboxBytesMax"), SETTING(websocket.outbox_bytes_max));
  fixed(name("notificationsBehindMax"), SETTING(websocket.notifications_behind_max));
  fixed(name("slowTimeout"), SETTING(websocket.slow_timeout));
  live(name("maxFragments"), SETTING(websocket.fragments_max));
  live(name("framesPerTurnMax"), SETTING(websocket.frames_per_turn_max));
  live(name("bytesPerTurnMax"), SETTING(websocket.bytes_per_turn_max));
  live(name("messageTimeout"), SETTING(websocket.message_timeout));
  live(name("idleTimeout"), SETTING(websocket.idle_timeout));
  live(name("subscriptionIds: unique"), SETTING(websocket.unique_subscription_ids));
  fixed(name("sessionsMax"), SETTING(websocket.sessions.sessions_max));
  fixed(name("sessionsPerAddressMax"), SETTING(websocket.sessions.sessions_per_owner_max));
  fixed(name("sessionTimeout"), SETTING(websocket.sessions.idle_max));
  live(name("compression.enabled"), SETTING(websocket.compression.enabled));
  live(name("compression.minBytes"), SETTING(websocket.compression.bytes_min));
  live(name("compression.maxBytes"), SETTING(websocket.compression.bytes_max));
}

void Differ::compare_http() {
  fixed("server.maxBodyBytes", SETTING(http.body_bytes_max));
  fixed("server.limits.headBytesMax", SETTING(http.head_bytes_max));
  fixed("server.limits.headerLinesMax", SETTING(http.header_count_max));
  fixed("server.limits.handshakeTimeout", SETTING(http.handshake_timeout));
  fixed("server.compression.enabled", SETTING(http.compression.enabled));
  fixed("server.compression.minBytes", SETTING(http.compression.bytes_min));
  fixed("server.compression.waitingBytesMax", SETTING(http.compression.waiting_bytes_max));
}

void Differ::compare_limits() {
  const auto name = [](std::string_view key) { return "server.limits." + std::string(key); };
  fixed(name("connectionsMax"), SETTING(accept.connections_max));
  fixed(name("connectionsPerAddressMax"), SETTING(accept.connections_per_address_max));
  fixed(name("connectionsPerSecondPerAddress"), SETTING(accept.connections_per_second_per_address));
  fixed(name("connectionsPerAddressMax for loopback"), SETTING(accept.limits_loopback));
  fixed(name("batchItemsMax"), SETTING(answers.batch_items_max));
  fixed(name("batchAnswerBytesMax"), SETTING(answers.batch_answer_bytes_max));
  fixed(name("heldBytesMax"), SETTING(answers.held_bytes_max));
  fixed(name("heldBytesPerProjectMax"), SETTING(answers.held_bytes_per_project_max));
  fixed(name("heldBytesPerConnectionMax"), SETTING(answers.held_bytes_per_connection_max));
  fixed(name("unfinishedBytesMax"), SETTING(answers.unfinished_bytes_max));
}

std::string name_of_listener(const ListenerPlan& listener) {
  const server::ListenerOptions& at = listener.at;
  if (!at.unix_path.empty()) return "unix:" + at.unix_path;
  return (at.host.contains(':') ? "[" + at.host + "]" : at.host) + ":" + std::to_string(at.port);
}

void Differ::compare_listeners() {
  const auto find_in = [](const std::vector<ListenerPlan>& listeners, const ListenerPlan& one) {
    return std::ranges::find(listeners, name_of_listener(one), name_of_listener);
  };
  for (const ListenerPlan& listener : told_.listeners) {
    const auto found = find_in(wanted_.listeners, listener);
    const std::string name = "listener " + name_of_listener(listener);
    if (found == wanted_.listeners.end()) {
      restart(name + ": removed");
      continue;
    }
    if (found->at.tls != listener.at.tls) restart(name + ": tls");
    if (found->at.proxy_protocol != listener.at.proxy_protocol) restart(name + ": proxyProtocol");
    if (found->at.unix_mode != listener.at.unix_mode) restart(name + ": mode");
    if (found->at.inherited_fd != listener.at.inherited_fd) restart(name + ": its inherited socket");
    if (found->socket_name != listener.socket_name) restart(name + ": the name of its socket");
    if (found->mounts != listener.mounts)
      restart(name + ": what is served there (metrics, web, streams, canvas)");
  }
  for (const ListenerPlan& listener : wanted_.listeners) {
    if (find_in(told_.listeners, listener) == told_.listeners.end()) {
      restart("listener " + name_of_listener(listener) + ": added");
    }
  }
  told_.listeners = wanted_.listeners;
}

void Differ::compare_parts() {
  const auto same_streams = [&] {
    if (told_.streams.has_value() != wanted_.streams.has_value()) return false;
    if (!told_.streams) return true;
    if (told_.streams->streams.size() != wanted_.streams->streams.size()) return false;
    // A stream names its network by an index, which another network may move.
    StreamsPlan moved = *wanted_.streams;
    for (std::size_t i = 0; i < moved.streams.size(); ++i) {
      StreamPlan& to = moved.streams[i];
      const StreamPlan& from = told_.streams->streams[i];
      if (to.source != StreamPlan::Source::network || from.source != to.source) continue;
      if (is_same_network(told_.networks[from.index], wanted_.networks[to.index])) to.index = from.index;
    }
    return moved == *told_.streams;
  };
  if (!same_streams()) restart("streams");
  if (told_.canvas != wanted_.canvas) restart("canvas");
  told_.streams = wanted_.streams;
  told_.canvas = wanted_.canvas;
  fixed_part("admin", SETTING(admin));
  fixed_part("server.memory or server.overload", SETTING(defence));
  fixed_part("server.accessLog", SETTING(observe.access_log));
  fixed_part("server.requestIds", SETTING(observe.request_ids));
  fixed_part("server.requestIds.trust", SETTING(observe.trusted));
  fixed_part("tracing", SETTING(observe.tracing));
  fixed_part("logFormat", SETTING(observe.log_format));
}

bool Differ::is_polled(std::size_t network) const {
  return before_.streams && std::ranges::any_of(before_.streams->streams, [&](const StreamPlan& stream) {
           return stream.source == StreamPlan::Source::network && stream.index == network;
         });
}

void Differ::compare_networks() {
  std::vector<NetworkPlan> after;
  std::vector<std::size_t> moved;  // by index in the running plan
  const auto find_in = [](const std::vector<NetworkPlan>& networks, const NetworkPlan& one) {
    return std::ranges::find_if(networks,
                                [&](const NetworkPlan& other) { return is_same_network(one, other); });
  };
  for (std::size_t i = 0; i < before_.networks.size(); ++i) {
    NetworkPlan present = before_.networks[i];
    const auto found = find_in(wanted_.networks, present);
    moved.push_back(after.size());
    if (found != wanted_.networks.end()) {
      compare_network(present, *found);
    } else if (is_polled(i)) {
      restart("network " + name_of_network(present) + ": removed, but a stream polls it");
    } else {
      add(PlanChange::Kind::removed, "network " + name_of_network(present));
      continue;
    }
    after.push_back(std::move(present));
  }
  for (const NetworkPlan& network : wanted_.networks) {
    if (find_in(before_.networks, network) != before_.networks.end()) continue;
    add(PlanChange::Kind::added, "network " + name_of_network(network));
    after.push_back(network);
  }
  // In the wanted order, so that an unchanged file is no difference.
  std::ranges::stable_sort(after, {}, [&](const NetworkPlan& network) {
    return find_in(wanted_.networks, network) - wanted_.networks.begin();
  });
  if (now_.streams) {
    for (StreamPlan& stream : now_.streams->streams) {
      if (stream.source != StreamPlan::Source::network) continue;
      stream.index = static_cast<std::size_t>(find_in(after, before_.networks[stream.index]) - after.begin());
    }
  }
  now_.networks = std::move(after);
  told_.networks = wanted_.networks;
}

void Differ::compare_network(NetworkPlan& present, const NetworkPlan& wanted) {
  const std::string name = "network " + name_of_network(present) + " ";
  live_value(name + "methods.allow", present.methods.allow, wanted.methods.allow);
  live_value(name + "methods.deny", present.methods.deny, wanted.methods.deny);
  live_value(name + "allowedOrigins", present.origins, wanted.origins);
  live_value(name + "chainCheckInterval", present.chain_check_every, wanted.chain_check_every);
  fixed_value(name + "pollIntervalMin", present.poll.interval_min, wanted.poll.interval_min);
  fixed_value(name + "pollIntervalMax", present.poll.interval_max, wanted.poll.interval_max);
  fixed_value(name + "reorgWindow", present.poll.reorg_window_blocks, wanted.poll.reorg_window_blocks);
  fixed_value(name + "resumeWindow", present.poll.resume_window_blocks, wanted.poll.resume_window_blocks);
  compare_reads(present, wanted);
  compare_nodes(present, wanted);
}

void Differ::compare_reads(NetworkPlan& present, const NetworkPlan& wanted) {
  const std::string name = "network " + name_of_network(present) + " ";
  live_value(name + "hedgeAfter", present.reads.hedge_after, wanted.reads.hedge_after);
  fixed_value(name + "answerCacheBytes", present.reads.cache_bytes_max, wanted.reads.cache_bytes_max);
  const eth::FilterLimits& from = present.reads.filters;
  const eth::FilterLimits& to = wanted.reads.filters;
  fixed_value(name + "filterTimeout", from.idle_max, to.idle_max);
  fixed_value(name + "filtersMax", from.filters_max, to.filters_max);
  fixed_value(name + "filtersPerAddressMax", from.filters_per_owner_max, to.filters_per_owner_max);
  fixed_value(name + "filterCriteriaBytesMax", from.criteria_bytes_max, to.criteria_bytes_max);
  fixed_value(name + "filterCriteriaBytesPerAddressMax", from.criteria_bytes_per_owner_max,
              to.criteria_bytes_per_owner_max);
  fixed_value(name + "filterKeptBytesMax", from.kept_bytes_max, to.kept_bytes_max);
  fixed_value(name + "filterChangesBytesMax", from.changes_bytes_max, to.changes_bytes_max);
}

void Differ::compare_nodes(NetworkPlan& present, const NetworkPlan& wanted) {
  if (present.backend == wanted.backend) return;
  const auto* from = std::get_if<UpstreamBackend>(&present.backend);
  const auto* to = std::get_if<UpstreamBackend>(&wanted.backend);
  const std::string network = name_of_network(present);
  if (from == nullptr || to == nullptr) return restart("network " + network + ": its chain in the process");
  const std::size_t before = changes_.size();
  for (const UpstreamPlan& node : *from) {
    const auto found = std::ranges::find(*to, node.id, &UpstreamPlan::id);
    const std::string name = "upstream " + network + "/" + node.id;
    if (found == to->end()) {
      add(PlanChange::Kind::removed, name);
    } else {
      compare_node(name, node, *found);
    }
  }
  for (const UpstreamPlan& node : *to) {
    if (std::ranges::find(*from, node.id, &UpstreamPlan::id) != from->end()) continue;
    add(PlanChange::Kind::added, "upstream " + network + "/" + node.id);
  }
  if (changes_.size() == before) {
    add(PlanChange::Kind::changed, "network " + network + ": the order of its upstreams");
  }
  present.backend = wanted.backend;
}

void Differ::compare_node(const std::string& name, const UpstreamPlan& present, const UpstreamPlan& wanted) {
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
  tell("connectionsMax", present.limits.client_calls_max, wanted.limits.client_calls_max);
  tell("sourceConnectionsMax", present.limits.source_calls_max, wanted.limits.source_calls_max);
  tell("queuedCallsMax", present.limits.queued_calls_max, wanted.limits.queued_calls_max);
  tell("queuedCallsPerClientMax", present.limits.queued_calls_per_client_max,
       wanted.limits.queued_calls_per_client_max);
}

#undef SETTING

}  // namespace

std::string PlanChange::line() const {
  static constexpr std::string_view kMarks = "+-~!";
  return std::string(1, kMarks[static_cast<std::size_t>(kind)]) + " " + text +
         (kind == Kind::needs_restart ? " (needs a restart)" : "");
}

bool PlanDiff::needs_restart() const {
  return std::ranges::find(changes, PlanChange::Kind::needs_restart, &PlanChange::kind) != changes.end();
}

PlanDiff diff_plans(const ServePlan& running, const ServePlan& wanted) {
  return Differ(running, wanted).run();
}

std::string name_of_network(const NetworkPlan& network) {
  return network.project + "/" + (network.chain_id ? std::to_string(*network.chain_id) : "any");
}

bool is_same_network(const NetworkPlan& one, const NetworkPlan& other) {
  return one.project == other.project && one.chain_id == other.chain_id;
}

bool has_other_nodes(const NetworkPlan& one, const NetworkPlan& other) {
  return one.backend != other.backend || one.chain_check_every != other.chain_check_every ||
         one.reads.hedge_after != other.reads.hedge_after;
}

}  // namespace fanfare::gateway
