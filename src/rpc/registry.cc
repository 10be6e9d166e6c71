#include "rpc/registry.h"

#include <algorithm>
#include <utility>

namespace fanfare::rpc {
namespace {

// A name that can stand in a log line, and in a request of any client.
bool is_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

Registry::Registry(RpcOptions options)
    : options_(std::move(options)),
      budget_(std::make_shared<ByteBudget>(options_.held_bytes_max)),
      workers_({.threads = options_.workers, .queue_max = options_.work_queue_max}),
      callers_(options_) {}

Expected<void, Error> Registry::refuse(std::string problem) {
  if (problem_.empty()) problem_ = problem;
  return Unexpected(Error{.kind = Error::Kind::bad_option, .message = std::move(problem)});
}

std::string Registry::find_problem(const MethodEntry& entry, bool is_reserved) const {
  const std::string named = "the method \"" + entry.name + "\": ";
  if (frozen_) return named + "registered after serve()";
  if (!is_name(entry.name)) return named + "a name has visible ASCII characters, at least one";
  // JSON-RPC 2.0 §4.
  if (!is_reserved && entry.name.starts_with("rpc.")) return named + "names with rpc. are reserved";
  if (methods_.contains(entry.name)) return named + "registered twice";
  if (entry.about.timeout < entry.about.timeout.zero()) return named + "timeout: not below zero";
  bool optional_before = false;
  for (auto one = entry.parameters.begin(); one != entry.parameters.end(); ++one) {
    if (one->name.empty()) return named + "a parameter without a name";
    const auto twin = std::find_if(entry.parameters.begin(), one,
                                   [&](const Parameter& other) { return other.name == one->name; });
    if (twin != one) return named + "two parameters with the name " + one->name;
    if (one->required && optional_before)
      return named + one->name + " is required, but follows an optional one";
    optional_before = optional_before || !one->required;
  }
  return {};
}

Expected<void, Error> Registry::add(MethodEntry entry, bool is_reserved) {
  if (std::string problem = find_problem(entry, is_reserved); !problem.empty()) {
    return refuse(std::move(problem));
  }
  std::string name = entry.name;
  methods_.emplace(std::move(name), std::move(entry));
  return {};
}

Expected<void, Error> Registry::add_event(std::string_view name, EventEntry entry) {
  const std::string named = "the event \"" + std::string(name) + "\": ";
  if (frozen_) return refuse(named + "registered after serve()");
  if (!is_name(name)) return refuse(named + "a name has visible ASCII characters, at least one");
  if (name.starts_with("rpc.")) return refuse(named + "names with rpc. are reserved");
  for (const auto& [option, limits] :
       {std::pair("history", &entry.about.history), std::pair("stored", &entry.about.stored)}) {
    if (limits->age_max < limits->age_max.zero()) return refuse(named + option + ".age_max: not below zero");
  }
  if (!events_.emplace(std::string(name), std::move(entry)).second) return refuse(named + "registered twice");
  return {};
}

const MethodEntry* Registry::find(std::string_view name) const {
  const auto found = methods_.find(name);
  return found == methods_.end() ? nullptr : &found->second;
}

const EventEntry* Registry::find_event(std::string_view name) const {
  const auto found = events_.find(name);
  return found == events_.end() ? nullptr : &found->second;
}

bool Registry::permits(const RpcIdentity* identity, std::string_view permission) const {
  if (permission.empty() || options_.authenticate == nullptr) return true;
  return identity != nullptr && identity->may(permission);
}

bool Registry::may_call(const RpcIdentity* identity, std::string_view method) const {
  return options_.authenticate == nullptr || (identity != nullptr && identity->may_call(method));
}

bool Registry::may_subscribe(const RpcIdentity* identity, std::string_view event) const {
  return options_.authenticate == nullptr || (identity != nullptr && identity->may_subscribe(event));
}

}  // namespace fanfare::rpc
