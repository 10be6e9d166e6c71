#pragma once
// The gateway as the admin API sees it (admin/subject.h).

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/subject.h"
#include "base/time.h"
#include "gateway/metrics.h"
#include "gateway/network.h"
#include "gateway/reload_requests.h"
#include "gateway/serve_plan.h"
#include "gateway/upgrade/requests.h"
#include "gateway/upstream_observer.h"
#include "session/server.h"
#include "streams/catalog.h"
#include "upstream/worker.h"

namespace fanfare::canvasserver {
class Rooms;
}  // namespace fanfare::canvasserver

namespace fanfare::gateway {

// A network and what belongs to it.
struct AdminNetwork {
  Network& network;
  std::shared_ptr<const NetworkPlan> plan;  // in use; never changes
  const NetworkMetrics& metrics;
  const UpstreamObserver& observer;
  upstream::Worker& worker;
};

// The parts of a running gateway. All must outlive the subject.
struct AdminParts {
  // In use; never changes. Any thread.
  std::function<std::shared_ptr<const ServePlan>()> plan;
  session::Server& server;
  std::atomic<bool>& draining;
  // Visits all networks; any thread.
  std::function<void(const std::function<void(const AdminNetwork&)>&)> for_each_network;
  const streams::Catalog* streams = nullptr;  // null: there are none
  const canvasserver::Rooms* canvas = nullptr;
  ReloadRequests* reloads = nullptr;  // null: nobody handles them
  UpgradeRequests* upgrades = nullptr;
};

class AdminSubject final : public admin::Subject {
 public:
  explicit AdminSubject(AdminParts parts, Clock& clock = system_clock());

  session::Server& server() override { return parts_.server; }
  admin::ProcessInfo process() const override;
  void networks(UniqueFunction<void(std::vector<admin::NetworkInfo>)> done) override;
  std::vector<admin::StreamInfo> streams() const override;
  std::vector<admin::RoomInfo> rooms() const override;
  std::string configuration() const override;
  void set_upstream(std::string_view network, std::string_view upstream, bool enabled, bool forced,
                    UniqueFunction<void(Switched)> done) override;
  void set_draining(bool draining) override { parts_.draining = draining; }
  void reload(UniqueFunction<void(admin::ReloadInfo)> done) override;
  void upgrade(UniqueFunction<void(admin::UpgradeInfo)> done) override;

 private:
  admin::NetworkInfo network_info(const AdminNetwork& of) const;

  const AdminParts parts_;
  Clock& clock_;
  const Instant started_;
};

// Why calls do not go to the upstream, or only after others; empty: nothing is wrong. Exposed for its test.
std::string upstream_reason(const upstream::MemberStatus& status);
bool is_upstream_used(const upstream::MemberStatus& status);

}  // namespace fanfare::gateway
