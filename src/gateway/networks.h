#pragma once
// The networks of a running gateway, with their threads: those of the plan, and those that a reload has removed.
//
// A network that was removed stays in memory without nodes until the gateway ends, because what is on its way between
// the loops and its thread refers to it. It is used again if a later plan has a network of that name. So memory is bounded
// by the number of names, not of reloads.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_budget.h"
#include "gateway/metrics.h"
#include "gateway/network.h"
#include "gateway/serve_plan.h"
#include "gateway/upstream_observer.h"
#include "upstream/worker.h"

namespace fanfare::gateway {

struct LiveNetwork {
  using Publish = std::function<void(std::size_t slot, const Network::Events&)>;

  // The number that names it on the loops, always the same.
  const std::size_t slot;
  const NetworkPlan first_plan;  // of which the network keeps its name and what cannot be changed
  upstream::Worker& worker;
  const std::size_t worker_index;  // of Networks::workers()
  NetworkMetrics& metrics;
  ByteBudget& budget;  // for its clients' requests and answers
  UpstreamObserver observer;
  Network network;
  // Counts how often it was removed or came back: who closes its connections sees whether that still holds.
  std::atomic<std::uint64_t> turns = 0;

  // The main thread's.
  NetworkPlan plan;  // in use
  bool is_present = true;

  LiveNetwork(std::size_t its_slot, const NetworkPlan& its_plan, upstream::Worker& its_worker,
              std::size_t its_worker_index, Metrics& all_metrics, NetworkMetrics& its_metrics,
              ByteBudget& its_budget, const Publish& publish);
};

class AccessGate;

class Networks {
 public:
  // In the order of a plan.
  using OfPlan = std::vector<LiveNetwork*>;

  // `publish` gets the events of every network on its thread. Everything must outlive this object.
  Networks(Metrics& metrics, ByteBudget& budget, LiveNetwork::Publish publish)
      : metrics_(metrics), budget_(budget), publish_(std::move(publish)) {}
  Networks(const Networks&) = delete;
  Networks& operator=(const Networks&) = delete;

  // Before make(): sessions of clients are shared with other instances. It outlives this.
  void share_sessions(SharedSessions& shared) { shared_sessions_ = &shared; }

  // All on the main thread.
  // Starts the threads and makes the networks of the first plan. Nothing is called yet.
  const OfPlan& make(const ServePlan& plan);
  // Networks that have been made since the last call begin to follow their chains. Every loop must know them, or have
  // a task posted that makes it know them.
  void start_new();
  // The networks of another plan: those that are there, and new ones.
  OfPlan find_or_make(const ServePlan& plan);
  // Applies the plan to the networks that find_or_make() returned for it. `removed` gets the networks that are gone: call
  // their leave() when no client uses them any more.
  void change(const ServePlan& plan, const OfPlan& of_plan, std::vector<LiveNetwork*>& removed);
  // Takes the nodes from a removed network, unless it has come back since `turn`. Any thread.
  static void leave(LiveNetwork& network, std::uint64_t turn);

  const OfPlan& present() const { return present_; }
  // A reload has changed who may do what. Also ends sessions without a connection.
  void end_revoked_sessions(const AccessGate& gate) const;
  // In the order in which they were started; a reload may add some.
  std::vector<upstream::Worker*> workers() const;

  void begin_stop();
  void stop();

 private:
  void take_limits(const ServePlan& plan);
  LiveNetwork& add(const NetworkPlan& plan, upstream::Worker& worker);
  upstream::Worker& add_worker(std::size_t threads);
  upstream::Worker& worker_for(const NetworkPlan& plan);
  ByteBudget& budget_of(std::string_view project);

  Metrics& metrics_;
  ByteBudget& budget_;
  const LiveNetwork::Publish publish_;
  std::size_t threads_max_ = 1;
  Duration busy_poll_{};
  std::size_t held_bytes_per_project_max_ = 0;
  std::size_t received_bytes_per_project_max_ = 0;
  std::size_t connections_max_ = 0;
  eth::ResumeLimits session_limits_;
  SharedSessions* shared_sessions_ = nullptr;
  bool has_several_projects_ = false;
  std::map<std::string, ByteBudget, std::less<>> project_budgets_;   // parts of the budget
  std::map<std::string, ByteBudget, std::less<>> received_budgets_;  // received from nodes, by project
  std::vector<std::unique_ptr<upstream::Worker>> workers_;
  std::vector<std::unique_ptr<LiveNetwork>> all_;  // by slot
  std::size_t started_ = 0;                        // of all_
  OfPlan present_;
};

// Whether the plan's networks belong to more than one project.
bool has_several_projects(const ServePlan& plan);

}  // namespace fanfare::gateway
