#pragma once
// The metrics of one rendering, and what each part of the process has to say in them. One thread.
//
//   MetricsSheet sheet;
//   sheet.server(gate);
//   sheet.network(cells, clock.now());
//   std::string body = sheet.text();
//
// Other threads change the cells meanwhile: each value is whole, but together they are not of one moment.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "gateway/metric_infos.h"
#include "gateway/metrics.h"
#include "gateway/metrics_values.h"

namespace fanfare::canvasserver {
class RoomThread;
}  // namespace fanfare::canvasserver

namespace fanfare::gateway {

class MetricsSheet {
 public:
  struct Label {
    std::string name;
    std::string value;
  };
  using Labels = std::vector<Label>;

  MetricsSheet();
  ~MetricsSheet();

  void count(MetricId id, const Labels& labels, std::uint64_t value);
  void counter(MetricId id, const Labels& labels, const Counter& cell) { count(id, labels, cell.value()); }
  void gauge(MetricId id, const Labels& labels, double value);
  void gauge(MetricId id, const Labels& labels, const Gauge& cell) {
    gauge(id, labels, static_cast<double>(cell.value()));
  }

  void server(const session::AcceptGate& gate);
  void access(const AccessGate& gate);
  void defence(const DefenceCells& cells);
  void observe(const ObserveCells& cells);
  void network(const NetworkMetrics& cells, Instant now);
  void upstream(const UpstreamMetrics& cells);
  void streams(const streams::Catalog& catalog);
  void relay(const relay::RelayCounters& relay, const relay::LeaseCounters& leases);
  void shared_sessions(const SharedSessionCounters& cells);
  void canvas(const std::string& room, canvasserver::RoomThread& from);

  // In the text format of Prometheus. A family without samples is left out.
  std::string text() &&;

 private:
  template <typename Enumeration, std::size_t Size>
  void counters(MetricId id, const Labels& labels, std::string_view label,
                const std::array<std::string_view, Size>& names, const PerEach<Enumeration>& cells) {
    for (std::size_t i = 0; i < Size; ++i) {
      Labels with = labels;
      with.push_back({std::string(label), std::string(names[i])});
      counter(id, with, cells[static_cast<Enumeration>(i)]);
    }
  }
  void histogram(MetricId id, const Labels& labels, const LatencyHistogram& cell);

  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace fanfare::gateway
