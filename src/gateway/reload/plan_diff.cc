#include "gateway/reload/plan_diff.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "access/plan.h"
#include "gateway/reload/admin_diff.h"
#include "gateway/reload/canvas_diff.h"
#include "gateway/reload/listener_diff.h"
#include "gateway/reload/observe_diff.h"
#include "gateway/reload/shown_value.h"
#include "gateway/reload/stream_diff.h"
#include "gateway/reload/upstream_diff.h"

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
  void compare_relay();
  void compare_streams();
  void compare_networks();
  void compare_network(NetworkPlan& present, const NetworkPlan& wanted);
  void compare_reads(NetworkPlan& present, const NetworkPlan& wanted);
  void compare_nodes(NetworkPlan& present, const NetworkPlan& wanted);

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
  live("server.shutdownRetryAfter", SETTING(shutdown_retry_after));
  live("server.upgradeTimeout", SETTING(upgrade_timeout));
  live("server.allowedHosts", SETTING(browsers.hosts));
  live("server.allowedOrigins", SETTING(browsers.origins));
  fixed("server.threads", SETTING(loops));
  fixed("server.upstreamThreads", SETTING(upstream_threads_max));
  fixed("server.busyPollMicroseconds", SETTING(busy_poll_us));
  live("server.limits.receivedBytesPerProjectMax", SETTING(received_bytes_per_project_max));
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
  live("access.cookieFile", SETTING(cookie_file));
  live("access: roles of the cookie", SETTING(cookie_roles));
  live("access: files with keys", SETTING(access_files));
  live("access.checkFilesEvery", SETTING(access_check_every));
}

void Differ::compare_websocket() {
  const auto name = [](std::string_view key) { return "server.websocket." + std::string(key); };
  live(name("enabled"), SETTING(websocket.enabled));
  live(name("maxConnectionsPerNetwork"), SETTING(websocket.connections_per_network_max));
  live(name("maxSubscriptionsPerConnection"), SETTING(websocket.subscriptions_per_connection_max));
  live(name("pingInterval"), SETTING(websocket.ping_interval));
  live(name("pongTimeout"), SETTING(websocket.pong_timeout));
  fixed(name("readBufferSize"), SETTING(websocket.read_buffer_bytes));
  live(name("writeBufferSize"), SETTING(websocket.write_buffer_bytes));
  live(name("maxMessageBytes"), SETTING(websocket.message_bytes_max));
  live(name("outboxBytesMax"), SETTING(websocket.outbox_bytes_max));
  live(name("notificationsBehindMax"), SETTING(websocket.notifications_behind_max));
  live(name("slowTimeout"), SETTING(websocket.slow_timeout));
  live(name("maxFragments"), SETTING(websocket.fragments_max));
  live(name("framesPerTurnMax"), SETTING(websocket.frames_per_turn_max));
  live(name("bytesPerTurnMax"), SETTING(websocket.bytes_per_turn_max));
  live(name("messageTimeout"), SETTING(websocket.message_timeout));
  live(name("idleTimeout"), SETTING(websocket.idle_timeout));
  live(name("subscriptionIds: unique"), SETTING(websocket.unique_subscription_ids));
  live(name("sessionsMax"), SETTING(websocket.sessions.sessions_max));
  live(name("sessionsPerAddressMax"), SETTING(websocket.sessions.sessions_per_owner_max));
  live(name("sessionBytesMax"), SETTING(websocket.sessions.bytes_max));
  live(name("sessionBytesPerAddressMax"), SETTING(websocket.sessions.bytes_per_owner_max));
  live(name("sessionTimeout"), SETTING(websocket.sessions.idle_max));
  fixed(name("relaySessions"), SETTING(websocket.relayed_sessions));
  live(name("compression.enabled"), SETTING(websocket.compression.enabled));
  live(name("compression.minBytes"), SETTING(websocket.compression.bytes_min));
  live(name("compression.maxBytes"), SETTING(websocket.compression.bytes_max));
}

void Differ::compare_http() {
  live("server.maxBodyBytes", SETTING(http.body_bytes_max));
  live("server.limits.headBytesMax", SETTING(http.head_bytes_max));
  live("server.limits.headerLinesMax", SETTING(http.header_count_max));
  live("server.limits.handshakeTimeout", SETTING(http.handshake_timeout));
  fixed("server.compression.enabled", SETTING(http.compression.enabled));
  fixed("server.compression.minBytes", SETTING(http.compression.bytes_min));
  fixed("server.compression.waitingBytesMax", SETTING(http.compression.waiting_bytes_max));
}

void Differ::compare_limits() {
  const auto name = [](std::string_view key) { return "server.limits." + std::string(key); };
  live(name("connectionsMax"), SETTING(accept.connections_max));
  live(name("connectionsPerAddressMax"), SETTING(accept.connections_per_address_max));
  live(name("connectionsPerSecondPerAddress"), SETTING(accept.connections_per_second_per_address));
  live(name("connectionsPerAddressMax for loopback"), SETTING(accept.limits_loopback));
  live(name("batchItemsMax"), SETTING(answers.batch_items_max));
  live(name("batchAnswerBytesMax"), SETTING(answers.batch_answer_bytes_max));
  live(name("heldBytesMax"), SETTING(answers.held_bytes_max));
  live(name("heldBytesPerProjectMax"), SETTING(answers.held_bytes_per_project_max));
  live(name("heldBytesPerConnectionMax"), SETTING(answers.held_bytes_per_connection_max));
  live(name("unfinishedBytesMax"), SETTING(answers.unfinished_bytes_max));
}

void Differ::compare_listeners() {
  now_.listeners = diff_listeners(told_.listeners, wanted_.listeners, changes_);
  told_.listeners = wanted_.listeners;
}

// The connection to the broker is that of the start. Its settings may have secrets.
void Differ::compare_relay() {
  if (told_.relay == wanted_.relay) return;
  restart(!told_.relay ? "relay: added" : wanted_.relay ? "relay: changed" : "relay: removed");
  told_.relay = wanted_.relay;
}

// Without a broker an instance polls a relayed stream for its own clients, until it is restarted.
void Differ::compare_streams() {
  ServePlan possible = wanted_;
  if (!before_.relay && possible.streams) {
    for (StreamPlan& stream : possible.streams->streams) stream.relayed = false;
  }
  add_changes_of_streams(told_, possible, changes_);
  now_.streams = std::move(possible.streams);  // and its networks, in compare_networks()
  told_.streams = wanted_.streams;
}

void Differ::compare_parts() {
  compare_relay();
  compare_streams();
  now_.canvas = diff_rooms(told_.canvas, wanted_.canvas, changes_);
  told_.canvas = wanted_.canvas;
  now_.admin = diff_admin(told_.admin, wanted_.admin, changes_);
  told_.admin = wanted_.admin;
  fixed_part("server.memory or server.overload", SETTING(defence));
  add_changes_of_observing(told_.observe, wanted_.observe, changes_);
  now_.observe = told_.observe = wanted_.observe;
}

void Differ::compare_networks() {
  std::vector<NetworkPlan> after;
  const auto find_in = [](const std::vector<NetworkPlan>& networks, const NetworkPlan& one) {
    return std::ranges::find_if(networks,
                                [&](const NetworkPlan& other) { return is_same_network(one, other); });
  };
  for (NetworkPlan present : before_.networks) {
    const auto found = find_in(wanted_.networks, present);
    if (found != wanted_.networks.end()) {
      compare_network(present, *found);
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
  add_changes_of_nodes("upstream " + network + "/", *from, *to, changes_);
  if (changes_.size() == before) {
    add(PlanChange::Kind::changed, "network " + network + ": the order of its upstreams");
  }
  present.backend = wanted.backend;
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
