#pragma once
// Whether a caller may make a call of one network: its quota, its roles, the project's patterns, the built-in rules, in
// this order. A call that is refused later has paid all the same. One per network and loop.
//
// Without access control (no principal) only the project's patterns and the built-in rules apply.

#include <optional>
#include <string>

#include "gateway/access_gate.h"
#include "gateway/method_rules.h"
#include "gateway/serve_plan.h"
#include "jsonrpc/request.h"
#include "rpc/caller.h"
#include "rpc/methods.h"

namespace fanfare::gateway {

class CallPermission {
 public:
  // `gate`: null without access control. Both must outlive this object.
  CallPermission(const NetworkPlan& plan, AccessGate* gate);

  // The network's chain id was learnt from its node; networks without one are granted by their project alone.
  std::optional<rpc::Refusal> refusal(const jsonrpc::Request& request, const rpc::Caller& caller) const;

 private:
  bool is_renewal(const jsonrpc::Request& request, const rpc::Caller& caller) const;
  std::optional<rpc::Refusal> refuse_caller(const jsonrpc::Request& request, const rpc::Caller& caller) const;
  std::optional<rpc::Refusal> refuse_method(const jsonrpc::Request& request, const rpc::Caller& caller) const;
  // By the project's patterns and the built-in rules.
  std::optional<rpc::Refusal> refuse_by_rules(const access::Principal& principal,
                                              const access::Action& action) const;

  AccessGate* const gate_;
  const MethodRules rules_;
  const bool local_nodes_;  // all of the network's nodes are on this machine
  const std::string project_;
  const std::string network_;  // the chain id; empty: unknown
};

}  // namespace fanfare::gateway
