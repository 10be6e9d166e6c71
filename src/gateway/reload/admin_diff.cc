#include "gateway/reload/admin_diff.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "gateway/reload/listener_diff.h"
#include "gateway/reload/shown_value.h"

namespace fanfare::gateway {
namespace {

// "0660"
std::string shown_mode(const std::optional<unsigned>& mode) {
  if (!mode) return "none";
  char text[16];
  std::snprintf(text, sizeof(text), "%04o", *mode);
  return text;
}

class AdminDiffer {
 public:
  AdminDiffer(const AdminPlan& running, const AdminPlan& wanted, std::vector<PlanChange>& changes)
      : running_(running), wanted_(wanted), changes_(changes) {}

  AdminPlan run() {
    AdminPlan result = wanted_;
    result.listeners.clear();
    const std::vector<std::string> running_keys = keys_of_admin_listeners(running_);
    const std::vector<std::string> wanted_keys = keys_of_admin_listeners(wanted_);
    for (const std::string& key : running_keys) {
      if (std::ranges::find(wanted_keys, key) == wanted_keys.end()) add(PlanChange::Kind::removed, key);
    }
    for (std::size_t i = 0; i < wanted_keys.size(); ++i) {
      const auto found = std::ranges::find(running_keys, wanted_keys[i]);
      if (found == running_keys.end()) {
        add(PlanChange::Kind::added, wanted_keys[i]);
        result.listeners.push_back(without_passed(wanted_.listeners[i]));
      } else {
        const auto at = static_cast<std::size_t>(found - running_keys.begin());
        result.listeners.push_back(changed(wanted_keys[i], running_.listeners[at], wanted_.listeners[i]));
      }
    }
    const auto is_path = [](const server::ListenerOptions& at) { return !at.unix_path.empty(); };
    if (running_.group != wanted_.group && std::ranges::any_of(result.listeners, is_path) &&
        std::ranges::any_of(running_.listeners, is_path))
      add(PlanChange::Kind::changed, arrow("admin.group", running_.group, wanted_.group));
    if (running_.web_directory != wanted_.web_directory)
      add(PlanChange::Kind::changed, "admin: the dashboard on its port");
    return result;
  }

 private:
  void add(PlanChange::Kind kind, std::string text) {
    changes_.push_back({.kind = kind, .text = std::move(text)});
  }
  server::ListenerOptions changed(const std::string& name, const server::ListenerOptions& present,
                                  const server::ListenerOptions& wanted) {
    const server::ListenerOptions from = without_passed(present);
    const server::ListenerOptions to = without_passed(wanted);
    server::ListenerOptions result = from == to ? wanted : present;
    if (from.unix_mode != to.unix_mode) {
      add(PlanChange::Kind::changed,
          "admin.mode: " + shown_mode(from.unix_mode) + " -> " + shown_mode(to.unix_mode));
      result.unix_mode = to.unix_mode;
    }
    if (from.tls != to.tls) add(PlanChange::Kind::needs_restart, name + ": tls");
    return result;
  }

  const AdminPlan& running_;
  const AdminPlan& wanted_;
  std::vector<PlanChange>& changes_;
};

}  // namespace

std::vector<std::string> keys_of_admin_listeners(const AdminPlan& plan) {
  std::vector<std::string> keys;
  for (const server::ListenerOptions& listener : plan.listeners)
    keys.push_back("admin listener " + name_of_listener(listener));
  return keys;
}

std::optional<AdminPlan> diff_admin(const std::optional<AdminPlan>& running,
                                    const std::optional<AdminPlan>& wanted,
                                    std::vector<PlanChange>& changes) {
  AdminPlan after = AdminDiffer(running.value_or(AdminPlan{}), wanted.value_or(AdminPlan{}), changes).run();
  if (!wanted) return std::nullopt;
  return after;
}

}  // namespace fanfare::gateway
