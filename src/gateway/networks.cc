#include "gateway/networks.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "gateway/access_gate.h"
#include "gateway/reload/plan_diff.h"
#include "gateway/session_token.h"
#include "gateway/upstream_threads.h"

namespace fanfare::gateway {
namespace {

// The number of idle connections to nodes kept by all threads, and the minimum of one thread.
constexpr std::size_t kIdleConnectionsMax = 256;
constexpr std::size_t kIdleConnectionsOfThreadMin = 32;

std::string chain_of(const NetworkPlan& plan) {
  return plan.chain_id ? std::to_string(*plan.chain_id) : "";
}

}  // namespace

bool has_several_projects(const ServePlan& plan) {
  return std::ranges::any_of(plan.networks, [&](const NetworkPlan& network) {
    return network.project != plan.networks.front().project;
  });
}

LiveNetwork::LiveNetwork(std::size_t its_slot, const NetworkPlan& its_plan, upstream::Worker& its_worker,
                         std::size_t its_worker_index, Metrics& all_metrics, NetworkMetrics& its_metrics,
                         ByteBudget& its_budget, const Publish& publish)
    : slot(its_slot),
      first_plan(its_plan),
      worker(its_worker),
      worker_index(its_worker_index),
      metrics(its_metrics),
      budget(its_budget),
      observer(all_metrics, first_plan, chain_of(first_plan)),
      network(first_plan, worker, metrics, &observer,
              [publish, at = its_slot](const Network::Events& events) { publish(at, events); }),
      plan(its_plan) {}

upstream::Worker& Networks::add_worker(std::size_t threads) {
  const std::size_t idle = std::max(kIdleConnectionsOfThreadMin, kIdleConnectionsMax / threads);
  return *workers_.emplace_back(std::make_unique<upstream::Worker>(
      upstream::WorkerOptions{.thread_name = "upstream-" + std::to_string(workers_.size()),
                              .idle_connections_max = static_cast<long>(idle),
                              .busy_poll = busy_poll_}));
}

// The rule between clients also applies between projects: each may hold at most as much as is free. A
// single project need not leave room for others.
ByteBudget& Networks::budget_of(std::string_view project) {
  if (!has_several_projects_) return budget_;
  return project_budgets_.try_emplace(std::string(project), held_bytes_per_project_max_, &budget_)
      .first->second;
}

LiveNetwork& Networks::add(const NetworkPlan& plan, upstream::Worker& worker) {
  NetworkMetrics& metrics = metrics_.add_network(plan.project, chain_of(plan));
  const auto thread = std::ranges::find(workers_, &worker, &std::unique_ptr<upstream::Worker>::get);
  LiveNetwork& live = *all_.emplace_back(std::make_unique<LiveNetwork>(
      all_.size(), plan, worker, static_cast<std::size_t>(thread - workers_.begin()), metrics_, metrics,
      budget_of(plan.project), publish_));
  Network& network = live.network;
  network.on_chain_id([this, project = plan.project](std::uint64_t chain_id) {
    metrics_.set_chain_id(project, std::to_string(chain_id));
  });
  network.count_received(
      received_budgets_.try_emplace(plan.project, received_bytes_per_project_max_).first->second);
  network.set_connections_max(connections_max_);
  network.limit_sessions(session_limits_);
  if (shared_sessions_ != nullptr) network.share_sessions(*shared_sessions_);
  return live;
}

void Networks::take_limits(const ServePlan& plan) {
  held_bytes_per_project_max_ = plan.answers.held_bytes_per_project_max;
  received_bytes_per_project_max_ = plan.received_bytes_per_project_max;
  connections_max_ = plan.websocket.connections_per_network_max;
  session_limits_ = plan.websocket.sessions;
  // Those of a connection, and as many that it has not made again.
  session_limits_.record.subscriptions_max = 2 * plan.websocket.subscriptions_per_connection_max;
}

const Networks::OfPlan& Networks::make(const ServePlan& plan) {
  FANFARE_CHECK(all_.empty());
  threads_max_ = plan.upstream_threads_max;
  busy_poll_ = std::chrono::microseconds(plan.busy_poll_us);
  take_limits(plan);
  has_several_projects_ = has_several_projects(plan);
  std::vector<std::string_view> projects;
  for (const NetworkPlan& network : plan.networks) projects.push_back(network.project);
  const std::vector<std::size_t> thread_of = share_threads(projects, threads_max_);
  const std::size_t threads = thread_of.empty() ? 0 : *std::ranges::max_element(thread_of) + 1;
  for (std::size_t i = 0; i < threads; ++i) add_worker(threads);
  for (std::size_t i = 0; i < plan.networks.size(); ++i) {
    present_.push_back(&add(plan.networks[i], *workers_[thread_of[i]]));
  }
  for (LiveNetwork* const live : present_) live->worker.run([live] { live->network.prepare(); });
  return present_;
}

void Networks::start_new() {
  for (; started_ < all_.size(); ++started_) {
    all_[started_]->worker.post([live = all_[started_].get()] { live->network.start(); });
  }
}

// A thread of its own, as long as there may be more. Then the one with the fewest networks.
upstream::Worker& Networks::worker_for(const NetworkPlan& plan) {
  const auto networks_of = [&](const upstream::Worker& worker, bool of_project) {
    return std::ranges::count_if(all_, [&](const auto& live) {
      return &live->worker == &worker && live->is_present &&
             (!of_project || live->plan.project == plan.project);
    });
  };
  const auto load = [&](const std::unique_ptr<upstream::Worker>& worker) {
    const auto all = networks_of(*worker, /*of_project=*/false);
    // A project shares with itself first.
    return std::pair(all, all - networks_of(*worker, /*of_project=*/true));
  };
  const auto emptiest = std::ranges::min_element(workers_, {}, load);
  if (emptiest != workers_.end() && load(*emptiest).first == 0) return **emptiest;
  if (workers_.size() < threads_max_) return add_worker(workers_.size() + 1);
  return **emptiest;
}

Networks::OfPlan Networks::find_or_make(const ServePlan& plan) {
  has_several_projects_ = has_several_projects_ || has_several_projects(plan);
  take_limits(plan);
  OfPlan of_plan;
  for (const NetworkPlan& network : plan.networks) {
    const auto found = std::ranges::find_if(
        all_, [&](const auto& live) { return is_same_network(live->first_plan, network); });
    if (found != all_.end()) {
      of_plan.push_back(found->get());
      continue;
    }
    LiveNetwork& live = add(network, worker_for(network));
    live.worker.run([&live] { live.network.prepare(); });
    of_plan.push_back(&live);
  }
  return of_plan;
}

void Networks::change(const ServePlan& plan, const OfPlan& of_plan, std::vector<LiveNetwork*>& removed) {
  for (auto& [project, budget] : project_budgets_) budget.set_bytes_max(held_bytes_per_project_max_);
  for (auto& [project, budget] : received_budgets_) budget.set_bytes_max(received_bytes_per_project_max_);
  for (const auto& live : all_) {
    live->network.limit_sessions(session_limits_);
    const auto found = std::ranges::find(of_plan, live.get());
    if (found != of_plan.end()) {
      const NetworkPlan& wanted = plan.networks[static_cast<std::size_t>(found - of_plan.begin())];
      const bool comes_back = !std::exchange(live->is_present, true);
      if (comes_back) ++live->turns;
      live->network.set_connections_max(connections_max_);
      if (comes_back || has_other_nodes(live->plan, wanted)) {
        live->worker.post([one = live.get(), wanted] {
          one->observer.watch(wanted);
          one->metrics.is_gone = false;
          one->network.use_nodes(wanted, &one->observer);
        });
      }
      live->plan = wanted;
    } else if (std::exchange(live->is_present, false)) {
      ++live->turns;
      removed.push_back(live.get());
    }
  }
  present_ = of_plan;
}

void Networks::leave(LiveNetwork& network, std::uint64_t turn) {
  network.worker.post([&network, turn] {
    if (network.turns != turn) return;
    network.network.leave_nodes();
    network.observer.watch_none();
    network.metrics.is_gone = true;
  });
}

void Networks::end_revoked_sessions(const AccessGate& gate) const {
  for (LiveNetwork* const live : present_) {
    live->network.sessions().drop_if([&gate](const void* identity) {
      const auto& of = *static_cast<const SessionIdentity*>(identity);
      return of.principal != nullptr && !gate.check_again(*of.principal, of.peer).has_value();
    });
  }
}

std::vector<upstream::Worker*> Networks::workers() const {
  std::vector<upstream::Worker*> list;
  for (const auto& worker : workers_) list.push_back(worker.get());
  return list;
}

void Networks::begin_stop() {
  for (const auto& worker : workers_) worker->begin_stop();
}

void Networks::stop() {
  for (const auto& worker : workers_) worker->stop();
}

}  // namespace fanfare::gateway
