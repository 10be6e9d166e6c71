#include "gateway/metrics_sheet.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <limits>

#include "canvasserver/rooms.h"
#include "gateway/access_gate.h"
#include "gateway/defend/cells.h"
#include "gateway/observe/cells.h"
#include "gateway/shared_sessions.h"
#include "relay/counters.h"
#include "streams/catalog.h"

namespace fanfare::gateway {
namespace {

constexpr std::array<std::string_view, PerEach<CloseReason>::kSize> kCloseReasons{
    "client", "lost",   "protocol_error", "too_big",      "too_many_fragments", "policy",  "slow_consumer",
    "memory", "missed", "ping_timeout",   "idle_timeout", "shutdown",           "internal"};
constexpr std::array<std::string_view, PerEach<RefuseReason>::kSize> kRefuseReasons{
    "connection_limit", "bad_handshake", "origin", "host"};
constexpr std::array<std::string_view, PerEach<RpcRefusal>::kSize> kRpcRefusals{
    "host", "origin", "method", "memory", "limit", "overload"};
constexpr std::array<std::string_view, PerEach<AccessRefusal>::kSize> kAccessRefusals{"permission", "limit",
                                                                                      "expired"};
const auto kSubscriptionKinds = [] {
  std::array<std::string_view, PerEach<SubscriptionKind>::kSize> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = eth::name_of(static_cast<SubscriptionKind>(i));
  return names;
}();
constexpr std::array<std::string_view, PerEach<SlowPolicy>::kSize> kSlowPolicies{"close", "latest"};
constexpr std::array<std::string_view, PerEach<ResumeOutcome>::kSize> kResumeOutcomes{"complete", "notice"};
constexpr std::array<std::string_view, PerEach<FilterOutcome>::kSize> kFilterOutcomes{
    "created", "refused", "expired", "lost", "uninstalled"};
constexpr std::array<std::string_view, PerEach<Unrecorded>::kSize> kUnrecorded{"queue", "failed"};
constexpr std::array<std::string_view, PerEach<SessionOutcome>::kSize> kSessionOutcomes{
    "created", "resumed", "taken_over", "refused", "expired", "revoked"};
constexpr std::array<std::string_view, PerEach<Transport>::kSize> kTransports{"http", "websocket"};

prometheus::MetricType type_of(const MetricInfo& info) {
  if (info.type == "counter") return prometheus::MetricType::Counter;
  if (info.type == "histogram") return prometheus::MetricType::Histogram;
  return prometheus::MetricType::Gauge;
}

}  // namespace

// In the order of MetricId.
struct MetricsSheet::Families {
  std::vector<prometheus::MetricFamily> all{kMetricInfos.size()};

  prometheus::ClientMetric& add(MetricId id, const Labels& labels) {
    prometheus::ClientMetric& metric = all[static_cast<std::size_t>(id)].metric.emplace_back();
    for (const Label& label : labels) metric.label.push_back({label.name, label.value});
    return metric;
  }
};

MetricsSheet::MetricsSheet() : families_(std::make_unique<Families>()) {
  for (std::size_t i = 0; i < kMetricInfos.size(); ++i) {
    families_->all[i].name = kMetricInfos[i].name;
    families_->all[i].help = kMetricInfos[i].help;
    families_->all[i].type = type_of(kMetricInfos[i]);
  }
}

MetricsSheet::~MetricsSheet() = default;

void MetricsSheet::count(MetricId id, const Labels& labels, std::uint64_t value) {
  families_->add(id, labels).counter.value = static_cast<double>(value);
}

void MetricsSheet::gauge(MetricId id, const Labels& labels, double value) {
  families_->add(id, labels).gauge.value = value;
}

std::string MetricsSheet::text() && {
  std::erase_if(families_->all, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(families_->all);
}

void MetricsSheet::server(const session::AcceptGate& gate) {
  gauge(MetricId::open_sockets, {}, static_cast<double>(gate.connections()));
  for (std::size_t i = 0; i < static_cast<std::size_t>(session::Refusal::count_); ++i) {
    const auto refusal = static_cast<session::Refusal>(i);
    count(MetricId::sockets_refused, {{"reason", std::string(session::name_of(refusal))}},
          gate.refused(refusal));
  }
}

void MetricsSheet::access(const AccessGate& gate) {
  for (const auto& cells : gate.roles()) {
    const Labels labels{{"role", cells->role}};
    counter(MetricId::access_calls, labels, cells->calls);
    counters(MetricId::access_refused, labels, "reason", kAccessRefusals, cells->refused);
  }
  for (std::size_t i = 0; i < PerEach<access::Denial>::kSize; ++i) {
    const auto denial = static_cast<access::Denial>(i);
    counter(MetricId::access_denied, {{"reason", std::string(access::name_of(denial))}},
            gate.denials()[denial]);
  }
}

void MetricsSheet::defence(const DefenceCells& cells) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(Work::count_)> kWorks{"request",
                                                                                        "connection", "call"};
  constexpr std::array<std::string_view, PerEach<Shortage>::kSize> kShortages{"memory", "loop", "batches",
                                                                              "upstream"};
  gauge(MetricId::memory_ceiling, {}, static_cast<double>(cells.memory_ceiling.load()));
  gauge(MetricId::memory_used, {}, static_cast<double>(cells.memory_used.load()));
  gauge(MetricId::memory_level, {}, static_cast<double>(cells.memory.load()));
  counter(MetricId::memory_shed, {}, cells.shed_connections);
  counter(MetricId::memory_shed_bytes, {}, cells.shed_bytes);
  for (std::size_t i = 0; i < kWorks.size(); ++i) {
    counters(MetricId::overload_refused, {{"work", std::string(kWorks[i])}}, "reason", kShortages,
             cells.refused[i]);
  }
  const auto threads = [this](std::string_view kind, const std::deque<LoadCells>& all) {
    std::int64_t delay_ns = 0;
    std::uint32_t admitted = LoadControl::kWhole;
    for (const LoadCells& one : all) {
      delay_ns = std::max(delay_ns, one.delay_ns.load());
      admitted = std::min(admitted, one.admitted.load());
    }
    const Labels labels{{"thread", std::string(kind)}};
    gauge(MetricId::overload_delay, labels, static_cast<double>(delay_ns) / 1e9);
    gauge(MetricId::overload_admitted, labels, static_cast<double>(admitted) / LoadControl::kWhole);
  };
  threads("loop", cells.loops);
  threads("upstream", cells.workers);
  threads("batches", cells.batches);
}

void MetricsSheet::observe(const ObserveCells& cells) {
  counter(MetricId::access_log_lines, {}, cells.lines);
  counters(MetricId::access_log_dropped, {}, "reason", kUnrecorded, cells.lines_dropped);
  counter(MetricId::spans, {}, cells.spans);
  counters(MetricId::spans_dropped, {}, "reason", kUnrecorded, cells.spans_dropped);
}

void MetricsSheet::histogram(MetricId id, const Labels& labels, const LatencyHistogram& cell) {
  auto& filled = families_->add(id, labels).histogram;
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

void MetricsSheet::network(const NetworkMetrics& cells, Instant now) {
  const Labels labels{{"project", cells.project}, {"chain_id", cells.chain_id}};
  gauge(MetricId::connections, labels, cells.connections);
  counter(MetricId::connections_opened, labels, cells.connections_opened);
  counters(MetricId::connections_closed, labels, "reason", kCloseReasons, cells.connections_closed);
  counters(MetricId::connections_refused, labels, "reason", kRefuseReasons, cells.connections_refused);
  counter(MetricId::slow_consumer_closes, labels, cells.slow_consumer_closes);
  counters(MetricId::slow_drops, labels, "policy", kSlowPolicies, cells.slow_drops);
  counters(MetricId::resumes, labels, "outcome", kResumeOutcomes, cells.resumes);
  counter(MetricId::replayed, labels, cells.replayed);
  counter(MetricId::history_blocks, labels, cells.history_blocks);
  histogram(MetricId::match, labels, cells.match);
  histogram(MetricId::fan_out, labels, cells.fan_out);
  counter(MetricId::turn_shares_spent, labels, cells.turn_shares_spent);
  for (std::size_t i = 0; i < kSubscriptionKinds.size(); ++i) {
    Labels with = labels;
    with.push_back({"type", std::string(kSubscriptionKinds[i])});
    gauge(MetricId::subscriptions, with, cells.subscriptions[static_cast<SubscriptionKind>(i)]);
  }
  counters(MetricId::notifications, labels, "type", kSubscriptionKinds, cells.notifications);
  counters(MetricId::subscriptions_ended, labels, "type", kSubscriptionKinds, cells.subscriptions_ended);
  gauge(MetricId::filters, labels, cells.filters);
  counters(MetricId::filter_outcomes, labels, "outcome", kFilterOutcomes, cells.filter_outcomes);
  gauge(MetricId::sessions, labels, cells.sessions);
  counters(MetricId::session_outcomes, labels, "outcome", kSessionOutcomes, cells.session_outcomes);
  counter(MetricId::messages_received, labels, cells.messages_received);
  counter(MetricId::messages_sent, labels, cells.messages_sent);
  counter(MetricId::bytes_received, labels, cells.bytes_received);
  counter(MetricId::bytes_sent, labels, cells.bytes_sent);
  counters(MetricId::rpc_requests, labels, "transport", kTransports, cells.requests);
  counters(MetricId::rpc_requests_refused, labels, "reason", kRpcRefusals, cells.requests_refused);
  gauge(MetricId::network_ready, labels, cells.ready);
  counter(MetricId::heads, labels, cells.heads);
  counter(MetricId::reorgs, labels, cells.reorgs);
  counter(MetricId::reorged_blocks, labels, cells.reorged_blocks);
  gauge(MetricId::reorg_depth_max, labels, cells.reorg_depth_max);
  counter(MetricId::backfilled, labels, cells.backfilled);
  counter(MetricId::head_gaps, labels, cells.gaps);
  counter(MetricId::pending_gaps, labels, cells.pending_gaps);
  counter(MetricId::pending_bodies_lost, labels, cells.pending_bodies_lost);
  counter(MetricId::reads, labels, cells.reads);
  counter(MetricId::reads_shared, labels, cells.reads_shared);
  counter(MetricId::cache_hits, labels, cells.cache_hits);
  counter(MetricId::cache_misses, labels, cells.cache_misses);
  gauge(MetricId::cache_bytes, labels, cells.cache_bytes);
  // Before the first head there is no number and no age: a missing series says that, zero would not.
  const Instant learnt{Duration(cells.head_learnt.load(std::memory_order_acquire))};
  if (learnt == Instant{}) return;
  gauge(MetricId::head_number, labels, cells.head_number);
  gauge(MetricId::head_timestamp, labels, cells.head_timestamp_s);
  gauge(MetricId::head_age, labels,
        std::chrono::duration<double>(std::max(now - learnt, Duration::zero())).count());
}

void MetricsSheet::upstream(const UpstreamMetrics& cells) {
  const Labels labels{{"project", cells.project}, {"chain_id", cells.chain_id}, {"upstream", cells.upstream}};
  histogram(MetricId::upstream_latency, labels, cells.latency);
  for (std::size_t i = 0; i < UpstreamMetrics::kFailureKinds; ++i) {
    Labels with = labels;
    with.push_back({"kind", std::string(upstream::to_string(static_cast<upstream::FailureKind>(i)))});
    counter(MetricId::upstream_errors, with, cells.errors[i]);
  }
  counter(MetricId::upstream_bytes_sent, labels, cells.bytes_sent);
  counter(MetricId::upstream_bytes_received, labels, cells.bytes_received);
  gauge(MetricId::upstream_available, labels, cells.available);
  gauge(MetricId::upstream_wrong_chain, labels, cells.wrong_chain);
  counter(MetricId::upstream_stalls, labels, cells.stalls);
  counter(MetricId::upstream_disagreements, labels, cells.disagreements);
  counter(MetricId::upstream_floods, labels, cells.floods);
  gauge(MetricId::upstream_head_hints, labels, cells.head_hints);
  const auto methods = upstream::method_labels();
  for (std::size_t i = 0; i < methods.size(); ++i) {
    // Most methods are never called: a series for each of them would hide the others.
    const std::uint64_t calls = cells.calls[i].load(std::memory_order_relaxed);
    if (calls == 0) continue;
    Labels with = labels;
    with.push_back({"method", std::string(methods[i])});
    count(MetricId::upstream_calls, with, calls);
  }
}

void MetricsSheet::streams(const streams::Catalog& catalog) {
  const auto all = catalog.all();
  if (all.empty()) return;
  constexpr std::array<std::string_view, streams::kTransportCount> kStreamTransports{"websocket", "events"};
  for (std::size_t i = 0; i < kStreamTransports.size(); ++i) {
    gauge(MetricId::stream_connections, {{"transport", std::string(kStreamTransports[i])}},
          static_cast<double>(catalog.connections(static_cast<streams::Transport>(i))));
  }
  count(MetricId::stream_connections_refused, {}, catalog.connections_refused());
  for (std::size_t i = 0; i < streams::kErrorCodeCount; ++i) {
    const auto code = static_cast<streams::ErrorCode>(i);
    count(MetricId::stream_errors, {{"code", std::string(streams::name_of(code))}}, catalog.errors(code));
  }
  for (const auto& stream : all) {
    const Labels labels{{"stream", stream->name()}};
    const streams::StreamCounters& counters = stream->counters;
    gauge(MetricId::stream_subscribers, labels, static_cast<double>(stream->watchers()));
    count(MetricId::stream_values, labels, counters.values);
    count(MetricId::stream_values_refused, labels, counters.refused);
    count(MetricId::stream_values_missed, labels, stream->topic()->metrics().missed);
    count(MetricId::stream_polls, {{"stream", stream->name()}, {"outcome", "ok"}}, counters.polls);
    count(MetricId::stream_polls, {{"stream", stream->name()}, {"outcome", "failed"}}, counters.polls_failed);
    count(MetricId::stream_pauses, labels, counters.pauses);
    gauge(MetricId::stream_interrupted, labels, stream->is_interrupted() ? 1 : 0);
  }
}

void MetricsSheet::shared_sessions(const SharedSessionCounters& cells) {
  gauge(MetricId::session_broker_up, {}, cells.is_up ? 1 : 0);
  count(MetricId::session_copies, {{"outcome", "written"}}, cells.written);
  count(MetricId::session_copies, {{"outcome", "failed"}}, cells.failed);
  count(MetricId::session_copies, {{"outcome", "too_long"}}, cells.too_long);
  count(MetricId::session_moves, {{"outcome", "handed"}}, cells.handed);
  count(MetricId::session_moves, {{"outcome", "taken"}}, cells.taken);
  count(MetricId::session_moves, {{"outcome", "restored"}}, cells.restored);
  count(MetricId::session_moves, {{"outcome", "stale"}}, cells.stale);
  count(MetricId::session_moves, {{"outcome", "lost"}}, cells.lost);
  count(MetricId::session_moves, {{"outcome", "refused"}}, cells.refused);
  count(MetricId::session_losses, {}, cells.losses);
}

void MetricsSheet::relay(const relay::RelayCounters& relay, const relay::LeaseCounters& leases) {
  gauge(MetricId::relay_up, {}, relay.is_up ? 1 : 0);
  gauge(MetricId::relay_topics, {}, static_cast<double>(relay.topics));
  gauge(MetricId::relay_in_flight, {}, static_cast<double>(relay.in_flight));
  count(MetricId::relay_published, {}, relay.published);
  count(MetricId::relay_received, {}, relay.received);
  count(MetricId::relay_refused, {}, relay.refused);
  count(MetricId::relay_given_up, {}, relay.given_up);
  count(MetricId::relay_repeated, {}, relay.repeated);
  count(MetricId::relay_outages, {}, relay.times_down);
  count(MetricId::relay_stalls, {}, relay.stalls);
  gauge(MetricId::relay_leases_held, {}, static_cast<double>(leases.held));
  count(MetricId::relay_leases_taken, {}, leases.taken);
  count(MetricId::relay_leases_expired, {}, leases.expired);
}

void MetricsSheet::canvas(const std::string& room, canvasserver::RoomThread& from) {
  const Labels labels{{"room", room}};
  const canvasserver::RoomMetrics& metrics = from.metrics();
  const auto value = [](const auto& cell) {
    return static_cast<double>(cell.load(std::memory_order_relaxed));
  };
  const std::uint64_t binary = metrics.binary_connections;
  gauge(MetricId::canvas_users, labels, value(metrics.users));
  gauge(MetricId::canvas_connections, {{"room", room}, {"protocol", "binary"}}, static_cast<double>(binary));
  gauge(MetricId::canvas_connections, {{"room", room}, {"protocol", "json"}},
        value(metrics.connections) - static_cast<double>(binary));
  count(MetricId::canvas_pixels, labels, metrics.pixels);
  for (std::size_t i = 0; i < canvas::kErrorCodeCount; ++i) {
    const auto code = static_cast<canvas::ErrorCode>(i);
    count(MetricId::canvas_refused, {{"room", room}, {"code", std::string(canvas::name_of(code))}},
          metrics.refused[i]);
  }
  count(MetricId::canvas_messages, labels, metrics.messages);
  count(MetricId::canvas_sent_bytes, labels, metrics.sent_bytes);
  count(MetricId::canvas_ticks, labels, metrics.ticks);
  gauge(MetricId::canvas_tick_interval, labels, value(metrics.tick_interval_us) / 1e6);
  gauge(MetricId::canvas_tick_cost, labels, value(metrics.tick_cost_us) / 1e6);
  count(MetricId::canvas_ticks_skipped, labels, metrics.ticks_skipped);
  count(MetricId::canvas_slow_closed, labels, metrics.slow_closed);
  gauge(MetricId::canvas_chunks, labels, value(metrics.chunks));
  count(MetricId::canvas_snapshots, labels, metrics.snapshots);
  gauge(MetricId::canvas_cursors, labels, value(metrics.cursors));
  if (const canvasserver::SharedRoom* const shared = from.shared()) {
    const canvasserver::SharedRoom::Counters& counters = shared->counters();
    gauge(MetricId::canvas_shared_ready, labels, counters.is_ready ? 1 : 0);
    count(MetricId::canvas_shared_entries, labels, counters.entries);
    count(MetricId::canvas_shared_resets, labels, counters.resets);
    count(MetricId::canvas_shared_snapshots, labels, counters.snapshots);
    count(MetricId::canvas_shared_gone, labels, counters.gone);
  }
  if (from.storage() == nullptr) return;
  const canvasserver::StorageMetrics storage = from.storage()->metrics();
  gauge(MetricId::canvas_storage_failing, labels, storage.is_failing ? 1 : 0);
  count(MetricId::canvas_storage_commits, labels, storage.commits);
  count(MetricId::canvas_storage_failures, labels, storage.failures);
  gauge(MetricId::canvas_storage_unsaved_bytes, labels, static_cast<double>(storage.unsaved_bytes));
  gauge(MetricId::canvas_storage_bytes, labels, static_cast<double>(storage.file_bytes));
}

}  // namespace fanfare::gateway
