#include "gateway/admin_subject.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

#include "canvasserver/rooms.h"
#include "gateway/admin_configuration.h"
#include "gateway/process_memory.h"
#include "upstream/url.h"

namespace fanfare::gateway {
namespace {

double seconds_of(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Collects what several threads answer. Done when the last of them has let go of it, whether it answered or not.
class Gathering {
 public:
  explicit Gathering(UniqueFunction<void(std::vector<admin::NetworkInfo>)> done) : done_(std::move(done)) {}
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;
  ~Gathering() {
    std::ranges::sort(infos_, {}, &std::pair<std::size_t, admin::NetworkInfo>::first);
    std::vector<admin::NetworkInfo> all;
    for (auto& [index, info] : infos_) all.push_back(std::move(info));
    done_(std::move(all));
  }
  void add(std::size_t index, admin::NetworkInfo info) {
    const std::scoped_lock lock(mutex_);
    infos_.emplace_back(index, std::move(info));
  }

 private:
  std::mutex mutex_;  // guards infos_
  std::vector<std::pair<std::size_t, admin::NetworkInfo>> infos_;
  UniqueFunction<void(std::vector<admin::NetworkInfo>)> done_;
};

void add_counts(const UpstreamMetrics& metrics, admin::UpstreamInfo& out) {
  for (const auto& calls : metrics.calls) out.calls += calls.load(std::memory_order_relaxed);
  for (std::size_t kind = 0; kind < metrics.errors.size(); ++kind) {
    const std::uint64_t count = metrics.errors[kind].value();
    if (count == 0) continue;
    out.errors += count;
    out.errors_by_kind.emplace_back(upstream::to_string(static_cast<upstream::FailureKind>(kind)), count);
  }
}

template <typename Enumeration, typename Cell>
auto sum_of(const PerEach<Enumeration, Cell>& cells) {
  decltype(Cell().value()) sum = 0;
  for (std::size_t i = 0; i < PerEach<Enumeration, Cell>::kSize; ++i) {
    sum += cells[static_cast<Enumeration>(i)].value();
  }
  return sum;
}

// On the network's worker.
std::vector<admin::UpstreamInfo> upstreams_of(const AdminNetwork& of) {
  std::vector<admin::UpstreamInfo> all;
  const auto* const plans = std::get_if<UpstreamBackend>(&of.plan->backend);
  if (of.network.pool() == nullptr || plans == nullptr) {
    all.push_back({.name = "built-in",
                   .network = of.network.name(),
                   .url = {},
                   .reason = {},
                   .head = of.network.head_number(),
                   .errors_by_kind = {},
                   .can_be_disabled = false});
    return all;
  }
  const auto members = of.network.pool()->status();
  for (std::size_t i = 0; i < members.size() && i < plans->size(); ++i) {
    const upstream::MemberStatus& member = members[i];
    admin::UpstreamInfo info{.name = (*plans)[i].id,
                             .network = of.network.name(),
                             .url = upstream::redacted((*plans)[i].url),
                             .enabled = member.enabled,
                             .used = is_upstream_used(member),
                             .reason = upstream_reason(member),
                             .head = member.head,
                             .lag = member.lag,
                             .head_hints = of.network.hints_of(i),
                             .latency_s = seconds_of(member.latency),
                             .errors_by_kind = {}};
    if (const UpstreamMetrics* const metrics = of.observer.find(info.name)) add_counts(*metrics, info);
    all.push_back(std::move(info));
  }
  return all;
}

// On the network's worker.
admin::Subject::Switched switch_upstream(const AdminNetwork& of, std::string_view name, bool enabled,
                                         bool forced) {
  const auto* const plans = std::get_if<UpstreamBackend>(&of.plan->backend);
  upstream::Pool* const pool = of.network.pool();
  if (plans == nullptr || pool == nullptr) return admin::Subject::Switched::fixed;
  const auto found = std::ranges::find(*plans, name, &UpstreamPlan::id);
  if (found == plans->end()) return admin::Subject::Switched::unknown;
  const auto index = static_cast<std::size_t>(found - plans->begin());
  const auto members = pool->status();
  const bool others_left = [&] {
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i != index && members[i].enabled) return true;
    }
    return false;
  }();
  if (!enabled && !others_left && !forced) return admin::Subject::Switched::last_one;
  pool->set_enabled(index, enabled);
  return admin::Subject::Switched::done;
}

}  // namespace

bool is_upstream_used(const upstream::MemberStatus& status) {
  return status.enabled && status.available && status.checked && status.wrong_chain.empty();
}

std::string upstream_reason(const upstream::MemberStatus& status) {
  if (!status.enabled) return "disabled by the operator";
  if (!status.wrong_chain.empty()) return "not used: " + status.wrong_chain;
  if (!status.available) {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(status.retry_in).count();
    return "suspended after failures (" + (status.failure.empty() ? "unknown" : status.failure) +
           "); tried again within " + std::to_string(std::max<std::int64_t>(wait, 1)) + " s";
  }
  if (!status.checked) return "not used: its chain is not known yet";
  if (status.stalled) return "after the others: its head stands still";
  if (status.lagging) return "after the others: " + std::to_string(status.lag) + " blocks behind";
  if (status.limited) return "after the others: it limits the rate of calls";
  if (status.distrusted) return "after the others: another upstream proved an answer wrong";
  return "";
}

AdminSubject::AdminSubject(AdminParts parts, Clock& clock)
    : parts_(std::move(parts)), clock_(clock), started_(clock.now()) {}

admin::ProcessInfo AdminSubject::process() const {
  const session::SessionTotals totals = parts_.server.totals();
  const auto plan = parts_.plan();
  return {.version = plan->admin ? plan->admin->version : "",
          .uptime_s = seconds_of(clock_.now() - started_),
          .loops = parts_.server.loop_count(),
          .loop_kind = std::string(parts_.server.loop_name()),
          .connections = parts_.server.gate().connections(),
          .memory_bytes = resident_bytes(),
          .messages_received = totals.messages_received,
          .messages_sent = totals.messages_sent,
          .bytes_received = totals.bytes_received};
}

admin::NetworkInfo AdminSubject::network_info(const AdminNetwork& of) const {
  const Network::Readiness readiness = of.network.readiness();
  admin::NetworkInfo info{.name = of.network.name(),
                          .project = of.plan->project,
                          .ready = readiness.ready,
                          .reason = readiness.reason,
                          .head = of.network.head_number(),
                          .head_age_s = {},
                          .connections = of.network.connections(),
                          .subscriptions = sum_of(of.metrics.subscriptions),
                          .requests = sum_of(of.metrics.requests),
                          .notifications = sum_of(of.metrics.notifications),
                          .slow_closed = of.metrics.slow_consumer_closes.value(),
                          .upstreams = {}};
  if (const auto learnt = of.metrics.head_learnt.load(std::memory_order_relaxed); learnt != 0) {
    info.head_age_s = seconds_of(clock_.now() - Instant(Instant::duration(learnt)));
  }
  return info;
}

void AdminSubject::networks(UniqueFunction<void(std::vector<admin::NetworkInfo>)> done) {
  const auto gathering = std::make_shared<Gathering>(std::move(done));
  std::size_t index = 0;
  parts_.for_each_network([&](const AdminNetwork& of) {
    of.worker.post([this, of, gathering, index] {
      admin::NetworkInfo info = network_info(of);
      info.upstreams = upstreams_of(of);
      gathering->add(index, std::move(info));
    });
    ++index;
  });
}

std::vector<admin::StreamInfo> AdminSubject::streams() const {
  std::vector<admin::StreamInfo> all;
  if (parts_.streams == nullptr) return all;
  for (const auto& stream : parts_.streams->all()) {
    const bool failing = stream->is_interrupted();
    all.push_back({.name = stream->name(),
                   .healthy = !failing,
                   .reason = failing ? stream->reason() : "",
                   .subscribers = stream->watchers(),
                   .values = stream->counters.values.load(std::memory_order_relaxed),
                   .missed = stream->topic()->metrics().missed});
  }
  return all;
}

std::vector<admin::RoomInfo> AdminSubject::rooms() const {
  std::vector<admin::RoomInfo> all;
  if (parts_.canvas == nullptr) return all;
  parts_.canvas->for_each([&](const std::string& name, canvasserver::RoomThread& room) {
    const canvasserver::RoomMetrics& metrics = room.metrics();
    const bool failing = room.storage() != nullptr && room.storage()->is_failing();
    all.push_back({.name = name,
                   .healthy = !failing,
                   .reason = failing ? "its file cannot be written; drawing is refused" : "",
                   .users = metrics.users,
                   .connections = metrics.connections,
                   .pixels = metrics.pixels,
                   .tick_interval_s = static_cast<double>(metrics.tick_interval_us) / 1e6});
  });
  return all;
}

std::string AdminSubject::configuration() const {
  return configuration_text(*parts_.plan());
}

void AdminSubject::set_upstream(std::string_view network, std::string_view upstream, bool enabled,
                                bool forced, UniqueFunction<void(Switched)> done) {
  bool found = false;
  parts_.for_each_network([&](const AdminNetwork& of) {
    if (found || of.network.name() != network) return;
    found = true;
    of.worker.post([of, name = std::string(upstream), enabled, forced, done = std::move(done)]() mutable {
      done(switch_upstream(of, name, enabled, forced));
    });
  });
  if (!found) done(Switched::unknown);
}

void AdminSubject::reload(UniqueFunction<void(admin::ReloadInfo)> done) {
  if (parts_.reloads == nullptr) {
    return done({.errors = {"this program has no configuration file that it could read again"}});
  }
  parts_.reloads->ask([done = std::move(done)](const ReloadReport& report) mutable {
    done({.applied = report.applied,
          .changes = report.changes,
          .needs_restart = report.needs_restart,
          .errors = report.errors});
  });
}

void AdminSubject::upgrade(UniqueFunction<void(admin::UpgradeInfo)> done) {
  if (parts_.upgrades == nullptr) {
    return done({.pid = 0, .problem = "this program cannot be replaced while it runs"});
  }
  parts_.upgrades->ask([done = std::move(done)](const UpgradeReport& report) mutable {
    done({.pid = report.pid, .problem = report.problem});
  });
}

}  // namespace fanfare::gateway
