#include "gateway/metrics.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/guard.h"
#include "canvasserver/rooms.h"
#include "gateway/metric_infos.h"
#include "gateway/metrics_sheet.h"
#include "gateway/process_memory.h"

namespace fanfare::gateway {

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

void Metrics::fill(MetricsSheet& sheet, Instant now) const {
  for (std::size_t i = 0; i < http_responses_.size(); ++i) {
    const bool known = i < kStatuses.size();
    sheet.counter(MetricId::http_responses, {{"status", known ? std::to_string(kStatuses[i]) : "other"}},
                  http_responses_[i]);
  }
  sheet.counter(MetricId::http_turn_shares_spent, {}, http_turn_shares_spent_);
  sheet.counter(MetricId::http_compressed, {}, compression_.compressed);
  sheet.counter(MetricId::http_compressed_bytes_in, {}, compression_.bytes_in);
  sheet.counter(MetricId::http_compressed_bytes_out, {}, compression_.bytes_out);
  sheet.counter(MetricId::http_compressed_no_room, {}, compression_.no_room);
  if (gate_ != nullptr) sheet.server(*gate_);
  if (access_ != nullptr) sheet.access(*access_);
  if (defence_ != nullptr) sheet.defence(*defence_);
  if (observe_ != nullptr) sheet.observe(*observe_);
  if (budget_ != nullptr) {
    sheet.gauge(MetricId::held_bytes, {}, static_cast<double>(budget_->used()));
    sheet.count(MetricId::held_refusals, {}, budget_->refusals());
    sheet.gauge(MetricId::unfinished_bytes, {}, static_cast<double>(unfinished_->used()));
    sheet.count(MetricId::unfinished_refusals, {}, unfinished_->refusals());
  }
  if (streams_ != nullptr) sheet.streams(*streams_);
  if (relay_ != nullptr) sheet.relay(*relay_, *leases_);
  if (shared_sessions_ != nullptr) sheet.shared_sessions(*shared_sessions_);
  if (canvas_ != nullptr) {
    canvas_->for_each(
        [&](const std::string& name, canvasserver::RoomThread& room) { sheet.canvas(name, room); });
  }
  sheet.count(MetricId::out_of_memory, {}, out_of_memory_count());
  sheet.gauge(MetricId::start_time, {}, static_cast<double>(start_time_s_));
  sheet.gauge(MetricId::resident_memory, {}, static_cast<double>(resident_bytes()));
  const std::scoped_lock lock(mutex_);
  for (const NetworkMetrics& network : networks_) {
    if (!network.is_gone) sheet.network(network, now);
  }
  for (const UpstreamMetrics& upstream : upstreams_) {
    if (!upstream.is_gone) sheet.upstream(upstream);
  }
}

std::string Metrics::render(Instant now) const {
  MetricsSheet sheet;
  fill(sheet, now);
  return std::move(sheet).text();
}

std::span<const MetricInfo> metric_infos() {
  return kMetricInfos;
}

}  // namespace fanfare::gateway
