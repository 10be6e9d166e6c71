#pragma once
// The methods and events that a program registers, before it serves them. Immutable from serve() on; any thread
// may read it then.

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/byte_budget.h"
#include "fanfare/error.h"
#include "fanfare/rpc.h"
#include "rpc/callers.h"
#include "rpc/worker_pool.h"

namespace fanfare::rpc {

struct EventEntry {
  RpcEvent about;
  std::string schema;
};

class Registry {
 public:
  explicit Registry(RpcOptions options);

  // `is_reserved`: the name may begin with "rpc.".
  Expected<void, Error> add(MethodEntry entry, bool is_reserved = false);
  Expected<void, Error> add_event(std::string_view name, EventEntry entry);
  // Nothing can be added any more. Returns the first error of add(), if any.
  void freeze() { frozen_ = true; }
  // The first error of all registrations; empty: none.
  const std::string& problem() const { return problem_; }

  const MethodEntry* find(std::string_view name) const;
  const EventEntry* find_event(std::string_view name) const;
  const std::map<std::string, MethodEntry, std::less<>>& methods() const { return methods_; }
  const std::map<std::string, EventEntry, std::less<>>& events() const { return events_; }
  const RpcOptions& options() const { return options_; }
  // Whether the caller may do what needs this permission.
  bool permits(const RpcIdentity* identity, std::string_view permission) const;
  // Whether the caller's lists have this method, and this event.
  bool may_call(const RpcIdentity* identity, std::string_view method) const;
  bool may_subscribe(const RpcIdentity* identity, std::string_view event) const;

  WorkerPool& workers() { return workers_; }
  Callers& callers() { return callers_; }
  // Open calls hold memory of it, and may outlive the registry.
  const std::shared_ptr<ByteBudget>& budget() const { return budget_; }

 private:
  Expected<void, Error> refuse(std::string problem);
  std::string find_problem(const MethodEntry& entry, bool is_reserved) const;

  const RpcOptions options_;
  std::map<std::string, MethodEntry, std::less<>> methods_;
  std::map<std::string, EventEntry, std::less<>> events_;
  std::string problem_;
  bool frozen_ = false;
  const std::shared_ptr<ByteBudget> budget_;
  WorkerPool workers_;
  Callers callers_;
};

}  // namespace fanfare::rpc
