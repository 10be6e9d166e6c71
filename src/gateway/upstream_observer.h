#pragma once
// Records the events of one network's upstreams in the metrics.

#include <map>
#include <string>
#include <string_view>

#include "gateway/metrics.h"
#include "gateway/serve_plan.h"
#include "upstream/backend.h"

namespace fanfare::gateway {

class UpstreamObserver final : public upstream::Observer {
 public:
  // The metrics must outlive the observer.
  UpstreamObserver(Metrics& metrics, const NetworkPlan& plan, std::string_view chain_id);

  // The cells of one upstream; null: there is none with this id. On the worker's thread.
  const UpstreamMetrics* find(std::string_view id) const {
    const auto found = upstreams_.find(id);
    return found == upstreams_.end() ? nullptr : found->second;
  }

  // On the worker's thread: the network has these nodes from here on. The metrics do not show the others any more. Their calls
  // may still end.
  void watch(const NetworkPlan& plan);
  void watch_none();

  void call_finished(const upstream::CallReport& report) override;
  void stall_changed(std::string_view endpoint, bool stalled) override;
  void disagreed(std::string_view endpoint) override;
  void availability_changed(std::string_view endpoint, bool available) override;
  void chain_changed(std::string_view endpoint, bool right) override;
  void flooded(std::string_view endpoint) override;
  void hints_changed(std::string_view endpoint, bool live) override;

 private:
  void add(const NetworkPlan& plan);

  Metrics& metrics_;
  const std::string chain_id_;
  std::map<std::string, UpstreamMetrics*, std::less<>> upstreams_;  // by id; those of before, too
};

}  // namespace fanfare::gateway
