#pragma once
// What a reload would change: the difference between the plan that runs and the plan that is wanted. Pure.
//
//   diff_plans(a, a).changes            is empty
//   diff_plans(a, b).result             a with every change that can be made while the gateway runs; without
//                                       Kind::needs_restart among the changes, it is b
//   diff_plans(diff_plans(a, b).result, b)   lists what needs a restart, and nothing else
//
// No difference is ignored in silence: a setting that is not named here is reported as "another setting".

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

struct PlanChange {
  enum class Kind : std::uint8_t {
    added,
    removed,
    changed,
    needs_restart,  // stays as it is until the program is started again
  };
  Kind kind = Kind::changed;
  // "upstream main/node-a timeout: 10s -> 5s". Names are those of the configuration file. Contains nothing that may be a
  // secret: of a URL what upstream::redacted() shows, of headers only that they differ.
  std::string text;

  // The line for people: "+ ", "- ", "~ " or "! ", and the text.
  std::string line() const;

  bool operator==(const PlanChange&) const = default;
};

struct PlanDiff {
  // Settings of the process first, then networks in the order of the plan that runs, then new ones.
  std::vector<PlanChange> changes;
  ServePlan result;  // the plan after the reload
  // Why nothing may be applied: a part without the rest would serve to everyone what the wanted plan guards. Then `result` is
  // the running plan, and the changes are those that a restart would make. Empty: it may.
  std::string refusal;

  bool needs_restart() const;
};

PlanDiff diff_plans(const ServePlan& running, const ServePlan& wanted);

// "main/10": how a network is named in messages.
std::string name_of_network(const NetworkPlan& network);
// Whether both are the same network, whatever their settings.
bool is_same_network(const NetworkPlan& one, const NetworkPlan& other);
// Whether the nodes, or how they are called, differ.
bool has_other_nodes(const NetworkPlan& one, const NetworkPlan& other);

}  // namespace fanfare::gateway
