// Counting into the cells of the process, a network or an upstream.

#include <algorithm>
#include <utility>

#include "gateway/metrics.h"

namespace fanfare::gateway {

void Metrics::http_answered(int status) {
  const auto* const known = std::ranges::find(kStatuses, status);
  http_responses_[static_cast<std::size_t>(known - kStatuses.begin())].add();
}

NetworkMetrics::NetworkMetrics(std::string project_id, std::string chain)
    : project(std::move(project_id)), chain_id(std::move(chain)) {}

void NetworkMetrics::opened() {
  connections.add();
  connections_opened.add();
}

void NetworkMetrics::closed(CloseReason reason) {
  connections.sub();
  connections_closed[reason].add();
  if (reason != CloseReason::slow_consumer) return;
  slow_consumer_closes.add();
  slow_drops[SlowPolicy::close].add();
}

void NetworkMetrics::head(std::uint64_t number, std::uint64_t timestamp_s, Instant learnt) {
  head_number.set(static_cast<std::int64_t>(number));
  head_timestamp_s.set(static_cast<std::int64_t>(timestamp_s));
  // Stored last, with release order: a reader of it also sees the number.
  head_learnt.store(learnt.time_since_epoch().count(), std::memory_order_release);
}

void NetworkMetrics::filters_changed(std::size_t live, const eth::FilterCounters& since) {
  filters.set(static_cast<std::int64_t>(live));
  filter_outcomes[FilterOutcome::created].add(since.created);
  filter_outcomes[FilterOutcome::refused].add(since.refused);
  filter_outcomes[FilterOutcome::expired].add(since.expired);
  filter_outcomes[FilterOutcome::lost].add(since.lost);
  filter_outcomes[FilterOutcome::uninstalled].add(since.removed);
}

void NetworkMetrics::sessions_changed(std::size_t live, const eth::ResumeCounters& since) {
  sessions.set(static_cast<std::int64_t>(live));
  session_outcomes[SessionOutcome::created].add(since.created);
  session_outcomes[SessionOutcome::resumed].add(since.resumed);
  session_outcomes[SessionOutcome::taken_over].add(since.taken_over);
  session_outcomes[SessionOutcome::refused].add(since.refused);
  session_outcomes[SessionOutcome::expired].add(since.expired);
  session_outcomes[SessionOutcome::revoked].add(since.revoked);
}

UpstreamMetrics::UpstreamMetrics(std::string project_id, std::string chain, std::string id)
    : project(std::move(project_id)), chain_id(std::move(chain)), upstream(std::move(id)) {}

void UpstreamMetrics::answered(std::string_view method, Duration took) {
  calls[upstream::method_label_index(method)].fetch_add(1, std::memory_order_relaxed);
  latency.observe(took);
}

void UpstreamMetrics::failed(std::string_view method, Duration took, upstream::FailureKind kind) {
  calls[upstream::method_label_index(method)].fetch_add(1, std::memory_order_relaxed);
  latency.observe(took);
  errors[static_cast<std::size_t>(kind)].add();
}

}  // namespace fanfare::gateway
