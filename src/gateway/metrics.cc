#include "gateway/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <utility>
#include <vector>

#include "base/guard.h"
#include "gateway/access_gate.h"

namespace fanfare::gateway {
namespace {

enum class Id : std::uint8_t {
  connections,
  connections_opened,
  connections_closed,
  connections_refused,
  slow_consumer_closes,
  slow_drops,
  resumes,
  replayed,
  history_blocks,
  match,
  fan_out,
  turn_shares_spent,
  subscriptions,
  notifications,
  subscriptions_ended,
  filters,
  filter_outcomes,
  messages_received,
  messages_sent,
  bytes_received,
  bytes_sent,
  rpc_requests,
  rpc_requests_refused,
  access_calls,
  access_refused,
  access_denied,
  http_responses,
  http_turn_shares_spent,
  http_compressed,
  http_compressed_bytes_in,
  http_compressed_bytes_out,
  http_compressed_no_room,
  held_bytes,
  held_refusals,
  out_of_memory,
  open_sockets,
  sockets_refused,
  network_ready,
  head_number,
  head_timestamp,
  head_age,
  heads,
  reorgs,
  reorged_blocks,
  reorg_depth_max,
  backfilled,
  head_gaps,
  pending_gaps,
  pending_bodies_lost,
  reads,
  reads_shared,
  cache_hits,
  cache_misses,
  cache_bytes,
  upstream_calls,
  upstream_latency,
  upstream_errors,
  upstream_bytes_sent,
  upstream_bytes_received,
  upstream_available,
  upstream_wrong_chain,
  upstream_stalls,
  upstream_disagreements,
  upstream_floods,
  start_time,
  resident_memory,
  count_,
};

// In the order of Id.
constexpr std::array<MetricInfo, static_cast<std::size_t>(Id::count_)> kInfos{{
    {"fanfare_websocket_connections", "gauge", "project, chain_id", "Open WebSocket connections."},
    {"fanfare_websocket_connections_opened_total", "counter", "project, chain_id",
     "Upgrades that succeeded."},
    {"fanfare_websocket_connections_closed_total", "counter", "project, chain_id, reason",
     "Connections that ended, by why."},
    {"fanfare_websocket_connections_refused_total", "counter", "project, chain_id, reason",
     "Upgrades that were refused, by why."},
    {"fanfare_slow_consumer_closes_total", "counter", "project, chain_id",
     "Connections closed because their outbox was full."},
    {"fanfare_slow_subscriber_drops_total", "counter", "project, chain_id, policy",
     "What slow subscribers cost: connections closed (close), heads not sent (latest)."},
    {"fanfare_resumes_total", "counter", "project, chain_id, outcome",
     "Subscriptions that came back from a cursor and are live."},
    {"fanfare_replayed_notifications_total", "counter", "project, chain_id",
     "Notifications and notices they were sent before that."},
    {"fanfare_history_fetches_total", "counter", "project, chain_id",
     "Blocks, logs and receipts fetched for them, and receipts fetched for live subscribers."},
    {"fanfare_log_match_seconds", "histogram", "project, chain_id",
     "Time one loop took for a block's logs: matching, encoding, queueing."},
    {"fanfare_fan_out_seconds", "histogram", "project, chain_id",
     "Time from an event to the last outbox of one loop."},
    {"fanfare_turn_shares_spent_total", "counter", "project, chain_id",
     "Times a connection had to wait for its loop's next turn."},
    {"fanfare_subscriptions", "gauge", "project, chain_id, type", "Live subscriptions."},
    {"fanfare_notifications_total", "counter", "project, chain_id, type",
     "Notifications queued for subscribers, one for each."},
    {"fanfare_subscriptions_ended_total", "counter", "project, chain_id, type",
     "Subscriptions that ended with a notice because they missed something."},
    {"fanfare_filters", "gauge", "project, chain_id", "Filters of eth_newFilter and its kin."},
    {"fanfare_filter_outcomes_total", "counter", "project, chain_id, outcome",
     "What became of filters: created, refused by a limit, expired, lost, uninstalled."},
    {"fanfare_websocket_messages_received_total", "counter", "project, chain_id",
     "Messages that came from clients."},
    {"fanfare_websocket_messages_sent_total", "counter", "project, chain_id", "Messages queued for clients."},
    {"fanfare_websocket_received_bytes_total", "counter", "project, chain_id",
     "Bytes of frames that came from clients."},
    {"fanfare_websocket_sent_bytes_total", "counter", "project, chain_id",
     "Bytes of frames queued for clients."},
    {"fanfare_rpc_requests_total", "counter", "project, chain_id, transport",
     "JSON-RPC requests, each of a batch counted."},
    {"fanfare_rpc_requests_refused_total", "counter", "project, chain_id, reason",
     "JSON-RPC requests that were not carried out, by why."},
    {"fanfare_access_calls_total", "counter", "role", "Calls of authenticated callers, by their first role."},
    {"fanfare_access_calls_refused_total", "counter", "role, reason",
     "Calls and connections of authenticated callers that were refused."},
    {"fanfare_access_denied_total", "counter", "reason", "Requests without valid credentials."},
    {"fanfare_http_responses_total", "counter", "status", "Answers to HTTP requests, upgrades included."},
    {"fanfare_http_turn_shares_spent_total", "counter", "",
     "Times a connection's requests had to wait for its loop's next turn."},
    {"fanfare_http_compressed_answers_total", "counter", "", "HTTP answers sent compressed."},
    {"fanfare_http_compression_input_bytes_total", "counter", "", "Bytes of their bodies before."},
    {"fanfare_http_compression_output_bytes_total", "counter", "", "Bytes of their bodies after."},
    {"fanfare_http_compression_skipped_total", "counter", "",
     "HTTP answers sent as they are because too many waited to be compressed."},
    {"fanfare_held_bytes", "gauge", "", "Requests under way and their answers, until they are sent."},
    {"fanfare_held_bytes_refusals_total", "counter", "",
     "Times a client or all of them held too much for more."},
    {"fanfare_out_of_memory_total", "counter", "", "Tasks that ended because the system had no memory."},
    {"fanfare_connections", "gauge", "", "Open connections of all kinds, over all ports."},
    {"fanfare_connections_refused_total", "counter", "reason",
     "Connections dropped before their first request, by why."},
    {"fanfare_network_ready", "gauge", "project, chain_id", "1 while the head of the chain is followed."},
    {"fanfare_head_number", "gauge", "project, chain_id", "Number of the newest block announced."},
    {"fanfare_head_timestamp_seconds", "gauge", "project, chain_id",
     "The time that block carries, since 1970."},
    {"fanfare_head_age_seconds", "gauge", "project, chain_id", "Time since that block was learnt."},
    {"fanfare_heads_total", "counter", "project, chain_id", "Blocks announced."},
    {"fanfare_reorgs_total", "counter", "project, chain_id", "Times the chain went back to another branch."},
    {"fanfare_reorged_blocks_total", "counter", "project, chain_id",
     "Blocks that were taken back by reorgs."},
    {"fanfare_reorg_depth_max_blocks", "gauge", "project, chain_id", "The deepest reorg so far."},
    {"fanfare_backfilled_blocks_total", "counter", "project, chain_id",
     "Blocks fetched that no poll had shown: of a jump, down to a fork, below the start."},
    {"fanfare_head_gaps_total", "counter", "project, chain_id",
     "Runs of blocks, or logs or receipts of one, that could not be had from the upstreams."},
    {"fanfare_pending_gaps_total", "counter", "project, chain_id",
     "Times that pending transactions may have been missed: their subscriptions ended with a notice, or with "
     "their connections."},
    {"fanfare_pending_bodies_lost_total", "counter", "project, chain_id",
     "Pending transactions that no upstream could show whole."},
    {"fanfare_reads_total", "counter", "project, chain_id",
     "Requests that only read and were not answered from the cache."},
    {"fanfare_reads_shared_total", "counter", "project, chain_id",
     "Of these, those that waited for an identical call under way."},
    {"fanfare_cache_hits_total", "counter", "project, chain_id",
     "Requests answered from the cache of answers that cannot change."},
    {"fanfare_cache_misses_total", "counter", "project, chain_id",
     "Requests whose answer could have been there and was not."},
    {"fanfare_cache_bytes", "gauge", "project, chain_id", "What that cache holds."},
    {"fanfare_upstream_calls_total", "counter", "project, chain_id, upstream, method",
     "Calls that ended, by method."},
    {"fanfare_upstream_latency_seconds", "histogram", "project, chain_id, upstream",
     "Time from a call to its answer or failure."},
    {"fanfare_upstream_errors_total", "counter", "project, chain_id, upstream, kind",
     "Calls that brought no answer, by why."},
    {"fanfare_upstream_sent_bytes_total", "counter", "project, chain_id, upstream",
     "Bytes of calls sent to the upstream."},
    {"fanfare_upstream_received_bytes_total", "counter", "project, chain_id, upstream",
     "Bytes of answers from the upstream."},
    {"fanfare_upstream_available", "gauge", "project, chain_id, upstream",
     "1 while the upstream answers, or was not yet put aside for failing."},
    {"fanfare_upstream_wrong_chain", "gauge", "project, chain_id, upstream",
     "1 while the upstream is not used because it is on another chain."},
    {"fanfare_upstream_stalls_total", "counter", "project, chain_id, upstream",
     "Times the upstream stood still while another one had newer blocks."},
    {"fanfare_upstream_disagreements_total", "counter", "project, chain_id, upstream",
     "Answers of the upstream that another one's proved wrong."},
    {"fanfare_upstream_floods_total", "counter", "project, chain_id, upstream",
     "Times the upstream was left alone for sending what nobody asked for."},
    {"process_start_time_seconds", "gauge", "", "When the process started, since 1970."},
    {"process_resident_memory_bytes", "gauge", "", "Memory of the process that is in RAM."},
}};

constexpr std::array<std::string_view, PerEach<CloseReason>::kSize> kCloseReasons{
    "client",        "lost",   "protocol_error", "too_big",      "too_many_fragments", "policy",
    "slow_consumer", "missed", "ping_timeout",   "idle_timeout", "shutdown",           "internal"};
constexpr std::array<std::string_view, PerEach<RefuseReason>::kSize> kRefuseReasons{
    "connection_limit", "shutdown", "bad_handshake", "origin", "host"};
constexpr std::array<std::string_view, PerEach<RpcRefusal>::kSize> kRpcRefusals{"host", "origin", "method",
                                                                                "memory", "limit"};
constexpr std::array<std::string_view, PerEach<AccessRefusal>::kSize> kAccessRefusals{"permission", "limit",
                                                                                      "expired"};
constexpr std::array<std::string_view, PerEach<SubscriptionKind>::kSize> kSubscriptionKinds{
    "newHeads", "logs", "newPendingTransactions", "syncing", "transactionReceipts"};
constexpr std::array<std::string_view, PerEach<SlowPolicy>::kSize> kSlowPolicies{"close", "latest"};
constexpr std::array<std::string_view, PerEach<ResumeOutcome>::kSize> kResumeOutcomes{"complete", "notice"};
constexpr std::array<std::string_view, PerEach<FilterOutcome>::kSize> kFilterOutcomes{
    "created", "refused", "expired", "lost", "uninstalled"};
constexpr std::array<std::string_view, PerEach<Transport>::kSize> kTransports{"http", "websocket"};

using Labels = std::vector<prometheus::ClientMetric::Label>;

prometheus::MetricType type_of(const MetricInfo& info) {
  if (info.type == "counter") return prometheus::MetricType::Counter;
  if (info.type == "histogram") return prometheus::MetricType::Histogram;
  return prometheus::MetricType::Gauge;
}

std::int64_t resident_bytes() {
  // proc(5): the second number is the resident set, in pages.
  std::ifstream statm("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  statm >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

// The families of one rendering.
struct Metrics::Sheet {
  std::vector<prometheus::MetricFamily> families{kInfos.size()};

  Sheet() {
    for (std::size_t i = 0; i < kInfos.size(); ++i) {
      families[i].name = kInfos[i].name;
      families[i].help = kInfos[i].help;
      families[i].type = type_of(kInfos[i]);
    }
  }

  prometheus::ClientMetric& add(Id id, Labels labels) {
    auto& metrics = families[static_cast<std::size_t>(id)].metric;
    metrics.emplace_back().label = std::move(labels);
    return metrics.back();
  }
  void counter(Id id, const Labels& labels, const Counter& cell) {
    add(id, labels).counter.value = static_cast<double>(cell.value());
  }
  void gauge(Id id, const Labels& labels, double value) { add(id, labels).gauge.value = value; }
  void gauge(Id id, const Labels& labels, const Gauge& cell) {
    gauge(id, labels, static_cast<double>(cell.value()));
  }
  template <typename Enumeration, std::size_t Size>
  void counters(Id id, const Labels& labels, std::string_view label,
                const std::array<std::string_view, Size>& names, const PerEach<Enumeration>& cells) {
    for (std::size_t i = 0; i < Size; ++i) {
      Labels with = labels;
      with.push_back({std::string(label), std::string(names[i])});
      counter(id, with, cells[static_cast<Enumeration>(i)]);
    }
  }

  void server(const session::AcceptGate& gate);
  void access(const AccessGate& gate);
  void histogram(Id id, const Labels& labels, const LatencyHistogram& cell);
  void network(const NetworkMetrics& cells, Instant now);
  void upstream(const UpstreamMetrics& cells);
};

void Metrics::Sheet::server(const session::AcceptGate& gate) {
  gauge(Id::open_sockets, {}, static_cast<double>(gate.connections()));
  for (std::size_t i = 0; i < static_cast<std::size_t>(session::Refusal::count_); ++i) {
    const auto refusal = static_cast<session::Refusal>(i);
    add(Id::sockets_refused, {{"reason", std::string(session::name_of(refusal))}}).counter.value =
        static_cast<double>(gate.refused(refusal));
  }
}

void Metrics::Sheet::access(const AccessGate& gate) {
  for (const auto& cells : gate.roles()) {
    const Labels labels{{"role", cells->role}};
    counter(Id::access_calls, labels, cells->calls);
    counters(Id::access_refused, labels, "reason", kAccessRefusals, cells->refused);
  }
  for (std::size_t i = 0; i < PerEach<access::Denial>::kSize; ++i) {
    const auto denial = static_cast<access::Denial>(i);
    counter(Id::access_denied, {{"reason", std::string(access::name_of(denial))}}, gate.denials()[denial]);
  }
}

void Metrics::Sheet::histogram(Id id, const Labels& labels, const LatencyHistogram& cell) {
  auto& filled = add(id, labels).histogram;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
    count += cell.bucket(i);
    const double bound = i < LatencyHistogram::kBounds.size()
                             ? std::chrono::duration<double>(LatencyHistogram::kBounds[i]).count()
                             : std::numeric_limits<double>::infinity();
    filled.bucket.push_back({.cumulative_count = count, .upper_bound = bound});
  }
  filled.sample_count = count;
  filled.sample_sum = cell.sum_seconds();
}

void Metrics::Sheet::network(const NetworkMetrics& cells, Instant now) {
  const Labels labels{{"project", cells.project}, {"chain_id", cells.chain_id}};
  gauge(Id::connections, labels, cells.connections);
  counter(Id::connections_opened, labels, cells.connections_opened);
  counters(Id::connections_closed, labels, "reason", kCloseReasons, cells.connections_closed);
  counters(Id::connections_refused, labels, "reason", kRefuseReasons, cells.connections_refused);
  counter(Id::slow_consumer_closes, labels, cells.slow_consumer_closes);
  counters(Id::slow_drops, labels, "policy", kSlowPolicies, cells.slow_drops);
  counters(Id::resumes, labels, "outcome", kResumeOutcomes, cells.resumes);
  counter(Id::replayed, labels, cells.replayed);
  counter(Id::history_blocks, labels, cells.history_blocks);
  histogram(Id::match, labels, cells.match);
  histogram(Id::fan_out, labels, cells.fan_out);
  counter(Id::turn_shares_spent, labels, cells.turn_shares_spent);
  for (std::size_t i = 0; i < kSubscriptionKinds.size(); ++i) {
    Labels with = labels;
    with.push_back({"type", std::string(kSubscriptionKinds[i])});
    gauge(Id::subscriptions, with, cells.subscriptions[static_cast<SubscriptionKind>(i)]);
  }
  counters(Id::notifications, labels, "type", kSubscriptionKinds, cells.notifications);
  counters(Id::subscriptions_ended, labels, "type", kSubscriptionKinds, cells.subscriptions_ended);
  gauge(Id::filters, labels, cells.filters);
  counters(Id::filter_outcomes, labels, "outcome", kFilterOutcomes, cells.filter_outcomes);
  counter(Id::messages_received, labels, cells.messages_received);
  counter(Id::messages_sent, labels, cells.messages_sent);
  counter(Id::bytes_received, labels, cells.bytes_received);
  counter(Id::bytes_sent, labels, cells.bytes_sent);
  counters(Id::rpc_requests, labels, "transport", kTransports, cells.requests);
  counters(Id::rpc_requests_refused, labels, "reason", kRpcRefusals, cells.requests_refused);
  gauge(Id::network_ready, labels, cells.ready);
  counter(Id::heads, labels, cells.heads);
  counter(Id::reorgs, labels, cells.reorgs);
  counter(Id::reorged_blocks, labels, cells.reorged_blocks);
  gauge(Id::reorg_depth_max, labels, cells.reorg_depth_max);
  counter(Id::backfilled, labels, cells.backfilled);
  counter(Id::head_gaps, labels, cells.gaps);
  counter(Id::pending_gaps, labels, cells.pending_gaps);
  counter(Id::pending_bodies_lost, labels, cells.pending_bodies_lost);
  counter(Id::reads, labels, cells.reads);
  counter(Id::reads_shared, labels, cells.reads_shared);
  counter(Id::cache_hits, labels, cells.cache_hits);
  counter(Id::cache_misses, labels, cells.cache_misses);
  gauge(Id::cache_bytes, labels, cells.cache_bytes);
  // Before the first head there is no number and no age: a missing series says that, zero would not.
  const Instant learnt{Duration(cells.head_learnt.load(std::memory_order_acquire))};
  if (learnt == Instant{}) return;
  gauge(Id::head_number, labels, cells.head_number);
  gauge(Id::head_timestamp, labels, cells.head_timestamp_s);
  gauge(Id::head_age, labels,
        std::chrono::duration<double>(std::max(now - learnt, Duration::zero())).count());
}

void Metrics::Sheet::upstream(const UpstreamMetrics& cells) {
  const Labels labels{{"project", cells.project}, {"chain_id", cells.chain_id}, {"upstream", cells.upstream}};
  histogram(Id::upstream_latency, labels, cells.latency);
  for (std::size_t i = 0; i < UpstreamMetrics::kFailureKinds; ++i) {
    Labels with = labels;
    with.push_back({"kind", std::string(upstream::to_string(static_cast<upstream::FailureKind>(i)))});
    counter(Id::upstream_errors, with, cells.errors[i]);
  }
  counter(Id::upstream_bytes_sent, labels, cells.bytes_sent);
  counter(Id::upstream_bytes_received, labels, cells.bytes_received);
  gauge(Id::upstream_available, labels, cells.available);
  gauge(Id::upstream_wrong_chain, labels, cells.wrong_chain);
  counter(Id::upstream_stalls, labels, cells.stalls);
  counter(Id::upstream_disagreements, labels, cells.disagreements);
  counter(Id::upstream_floods, labels, cells.floods);
  const auto methods = upstream::method_labels();
  for (std::size_t i = 0; i < methods.size(); ++i) {
    // Most methods are never called: a series for each of them would hide the others.
    const std::uint64_t calls = cells.calls[i].load(std::memory_order_relaxed);
    if (calls == 0) continue;
    Labels with = labels;
    with.push_back({"method", std::string(methods[i])});
    add(Id::upstream_calls, with).counter.value = static_cast<double>(calls);
  }
}

Metrics::Metrics()
    : start_time_s_(
          std::chrono::duration_cast<std::chrono::seconds>(system_clock().wall_now().time_since_epoch())
              .count()) {}

NetworkMetrics& Metrics::add_network(std::string_view project, std::string_view chain_id) {
  const std::scoped_lock lock(mutex_);
  const auto same = [&](const NetworkMetrics& one) {
    return one.project == project && one.chain_id == chain_id;
  };
  const auto found = std::ranges::find_if(networks_, same);
  if (found != networks_.end()) return *found;
  return networks_.emplace_back(std::string(project), std::string(chain_id));
}

UpstreamMetrics& Metrics::add_upstream(std::string_view project, std::string_view chain_id,
                                       std::string_view upstream) {
  const std::scoped_lock lock(mutex_);
  const auto same = [&](const UpstreamMetrics& one) {
    return one.project == project && one.chain_id == chain_id && one.upstream == upstream;
  };
  const auto found = std::ranges::find_if(upstreams_, same);
  if (found != upstreams_.end()) return *found;
  return upstreams_.emplace_back(std::string(project), std::string(chain_id), std::string(upstream));
}

void Metrics::set_chain_id(std::string_view project, std::string_view chain_id) {
  const std::scoped_lock lock(mutex_);
  const auto set = [&](auto& one) {
    if (one.project == project && one.chain_id.empty()) one.chain_id = chain_id;
  };
  std::ranges::for_each(networks_, set);
  std::ranges::for_each(upstreams_, set);
}

void Metrics::http_answered(int status) {
  const auto* const known = std::ranges::find(kStatuses, status);
  http_responses_[static_cast<std::size_t>(known - kStatuses.begin())].add();
}

void Metrics::fill(Sheet& sheet, Instant now) const {
  for (std::size_t i = 0; i < http_responses_.size(); ++i) {
    const bool known = i < kStatuses.size();
    sheet.counter(Id::http_responses, {{"status", known ? std::to_string(kStatuses[i]) : "other"}},
                  http_responses_[i]);
  }
  sheet.counter(Id::http_turn_shares_spent, {}, http_turn_shares_spent_);
  sheet.counter(Id::http_compressed, {}, compression_.compressed);
  sheet.counter(Id::http_compressed_bytes_in, {}, compression_.bytes_in);
  sheet.counter(Id::http_compressed_bytes_out, {}, compression_.bytes_out);
  sheet.counter(Id::http_compressed_no_room, {}, compression_.no_room);
  if (gate_ != nullptr) sheet.server(*gate_);
  if (access_ != nullptr) sheet.access(*access_);
  if (budget_ != nullptr) {
    sheet.gauge(Id::held_bytes, {}, static_cast<double>(budget_->used()));
    sheet.add(Id::held_refusals, {}).counter.value = static_cast<double>(budget_->refusals());
  }
  sheet.add(Id::out_of_memory, {}).counter.value = static_cast<double>(out_of_memory_count());
  sheet.gauge(Id::start_time, {}, static_cast<double>(start_time_s_));
  sheet.gauge(Id::resident_memory, {}, static_cast<double>(resident_bytes()));
  const std::scoped_lock lock(mutex_);
  for (const NetworkMetrics& network : networks_) sheet.network(network, now);
  for (const UpstreamMetrics& upstream : upstreams_) sheet.upstream(upstream);
}

std::string Metrics::render(Instant now) const {
  Sheet sheet;
  fill(sheet, now);
  // A family without samples is left out.
  std::erase_if(sheet.families, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(sheet.families);
}

std::span<const MetricInfo> metric_infos() {
  return kInfos;
}

}  // namespace fanfare::gateway
