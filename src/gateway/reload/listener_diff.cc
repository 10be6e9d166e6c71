#include "gateway/reload/listener_diff.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

namespace fanfare::gateway {
namespace {

class ListenerDiffer {
 public:
  ListenerDiffer(const std::vector<ListenerPlan>& running, const std::vector<ListenerPlan>& wanted,
                 std::vector<PlanChange>& changes)
      : running_(running),
        wanted_(wanted),
        running_keys_(keys_of_listeners(running)),
        wanted_keys_(keys_of_listeners(wanted)),
        changes_(changes) {}

  // In the wanted order; those that a restart would remove are last.
  std::vector<ListenerPlan> run() {
    std::vector<ListenerPlan> result;
    std::vector<ListenerPlan> left;
    for (std::size_t i = 0; i < running_.size(); ++i) {
      if (index_in(wanted_keys_, running_keys_[i])) continue;
      const std::string name = "listener " + name_of_listener(running_[i].at);
      if (is_of_manager(running_[i])) {
        restart(name + ": removed");
        left.push_back(running_[i]);
      } else {
        add(PlanChange::Kind::removed, name);
      }
    }
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const std::string name = "listener " + name_of_listener(wanted_[i].at);
      if (const auto at = index_in(running_keys_, wanted_keys_[i])) {
        result.push_back(changed(name, running_[*at], wanted_[i]));
      } else if (is_of_manager(wanted_[i])) {
        restart(name + ": added");
      } else {
        add(PlanChange::Kind::added, name);
        result.push_back(wanted_[i]);
        result.back().at = without_passed(wanted_[i].at);
      }
    }
    std::ranges::move(left, std::back_inserter(result));
    return result;
  }

 private:
  static std::optional<std::size_t> index_in(const std::vector<std::string>& keys, const std::string& key) {
    const auto found = std::ranges::find(keys, key);
    if (found == keys.end()) return std::nullopt;
    return static_cast<std::size_t>(found - keys.begin());
  }
  static bool is_of_manager(const ListenerPlan& listener) {
    return listener.at.inherited_fd && !listener.at.is_ours;
  }
  void add(PlanChange::Kind kind, std::string text) {
    changes_.push_back({.kind = kind, .text = std::move(text)});
  }
  void restart(std::string text) { add(PlanChange::Kind::needs_restart, std::move(text)); }

  ListenerPlan changed(const std::string& name, const ListenerPlan& present, const ListenerPlan& wanted) {
    const server::ListenerOptions from = without_passed(present.at);
    const server::ListenerOptions to = without_passed(wanted.at);
    if (from.tls != to.tls) restart(name + ": tls");
    if (from.proxy_protocol != to.proxy_protocol) restart(name + ": proxyProtocol");
    if (from.unix_mode != to.unix_mode) restart(name + ": mode");
    if (from.inherited_fd != to.inherited_fd) restart(name + ": its inherited socket");
    if (present.socket_name != wanted.socket_name) restart(name + ": the name of its socket");
    ListenerPlan result = present;
    if (from == to) result.at = wanted.at;
    if (present.mounts == wanted.mounts) return result;
    add(PlanChange::Kind::changed, name + ": what is served there (metrics, web, streams, canvas, admin)");
    result.mounts = wanted.mounts;
    return result;
  }

  const std::vector<ListenerPlan>& running_;
  const std::vector<ListenerPlan>& wanted_;
  const std::vector<std::string> running_keys_;
  const std::vector<std::string> wanted_keys_;
  std::vector<PlanChange>& changes_;
};

}  // namespace

std::string name_of_listener(const server::ListenerOptions& at) {
  if (!at.unix_path.empty()) return "unix:" + at.unix_path;
  return (at.host.contains(':') ? "[" + at.host + "]" : at.host) + ":" + std::to_string(at.port);
}

std::vector<std::string> keys_of_listeners(const std::vector<ListenerPlan>& listeners) {
  std::map<std::string, std::size_t> count;
  std::vector<std::string> keys;
  for (const ListenerPlan& listener : listeners) {
    std::string name = name_of_listener(listener.at);
    const std::size_t number = count[name]++;
    keys.push_back(std::move(name) + " #" + std::to_string(number));
  }
  return keys;
}

std::vector<ListenerPlan> diff_listeners(const std::vector<ListenerPlan>& running,
                                         const std::vector<ListenerPlan>& wanted,
                                         std::vector<PlanChange>& changes) {
  return ListenerDiffer(running, wanted, changes).run();
}

}  // namespace fanfare::gateway
