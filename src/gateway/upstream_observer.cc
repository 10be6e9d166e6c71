#include "gateway/upstream_observer.h"

namespace fanfare::gateway {

UpstreamObserver::UpstreamObserver(Metrics& metrics, const NetworkPlan& plan, std::string_view chain_id)
    : metrics_(metrics), chain_id_(chain_id) {
  add(plan);
}

void UpstreamObserver::add(const NetworkPlan& plan) {
  const auto* backend = std::get_if<UpstreamBackend>(&plan.backend);
  if (backend == nullptr) return;
  for (const UpstreamPlan& upstream : *backend) {
    UpstreamMetrics& cells = metrics_.add_upstream(plan.project, chain_id_, upstream.id);
    cells.available.set(1);
    cells.wrong_chain.set(0);
    cells.head_hints.set(0);
    cells.is_gone = false;
    upstreams_.insert_or_assign(upstream.id, &cells);
  }
}

void UpstreamObserver::watch(const NetworkPlan& plan) {
  watch_none();
  add(plan);
}

void UpstreamObserver::watch_none() {
  for (const auto& [id, cells] : upstreams_) cells->is_gone = true;
}

void UpstreamObserver::call_finished(const upstream::CallReport& report) {
  const auto found = upstreams_.find(report.endpoint);
  if (found == upstreams_.end()) return;
  UpstreamMetrics& cells = *found->second;
  if (report.failure) {
    cells.failed(report.method, report.latency, *report.failure);
  } else {
    cells.answered(report.method, report.latency);
  }
  cells.bytes_sent.add(report.bytes_sent);
  cells.bytes_received.add(report.bytes_received);
}

void UpstreamObserver::stall_changed(std::string_view endpoint, bool stalled) {
  const auto found = upstreams_.find(endpoint);
  if (stalled && found != upstreams_.end()) found->second->stalls.add();
}

void UpstreamObserver::disagreed(std::string_view endpoint) {
  const auto found = upstreams_.find(endpoint);
  if (found != upstreams_.end()) found->second->disagreements.add();
}

void UpstreamObserver::availability_changed(std::string_view endpoint, bool available) {
  const auto found = upstreams_.find(endpoint);
  if (found != upstreams_.end()) found->second->available.set(available ? 1 : 0);
}

void UpstreamObserver::flooded(std::string_view endpoint) {
  const auto found = upstreams_.find(endpoint);
  if (found != upstreams_.end()) found->second->floods.add();
}

void UpstreamObserver::hints_changed(std::string_view endpoint, bool live) {
  const auto found = upstreams_.find(endpoint);
  if (found != upstreams_.end()) found->second->head_hints.set(live ? 1 : 0);
}

void UpstreamObserver::chain_changed(std::string_view endpoint, bool right) {
  const auto found = upstreams_.find(endpoint);
  if (found != upstreams_.end()) found->second->wrong_chain.set(right ? 0 : 1);
}

}  // namespace fanfare::gateway
