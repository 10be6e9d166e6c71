#include "gateway/live_listeners.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "base/log.h"
#include "gateway/reload/listener_conflicts.h"
#include "gateway/reload/listener_diff.h"
#include "gateway/upgrade/passed_sockets.h"

namespace fanfare::gateway {
namespace {

// Nobody can connect to it any more.
bool has_lost_file(const session::Server& server, std::size_t index) {
  const auto file = server.unix_file_of(index);
  return file && !file->is_there();
}

std::expected<server::Listeners, Error> load(const ListenerPlan& listener) {
  auto prepared = server::Listeners::prepare(std::span(&listener.at, 1));
  if (!prepared) {
    Error& error = prepared.error();
    error.message =
        (error.kind == Error::Kind::tls ? "cannot serve TLS: " : "cannot listen: ") + error.message;
  }
  return prepared;
}

}  // namespace

std::expected<std::vector<session::Listener>, Error> LiveListeners::prepare(
    const std::vector<ListenerPlan>& plan) {
  std::vector<session::Listener> all;
  const std::scoped_lock lock(mutex_);
  for (const ListenerPlan& listener : plan) {
    auto prepared = load(listener);
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    indices_.push_back(all.size());
    all.push_back(prepared->all().front());
    prepared_.emplace(indices_.back(), *std::move(prepared));
  }
  plan_ = plan;
  return all;
}

void LiveListeners::started(const session::Server& server) {
  addresses_ = server.addresses();
}

std::expected<LiveListeners::Change, std::string> LiveListeners::bind(
    const session::Server& server, const std::vector<ListenerPlan>& plan) const {
  Change change{.added = {}, .removed = indices_, .plan = plan, .indices = {}};
  const std::vector<std::string> present = keys_of_listeners(plan_);
  const std::vector<std::string> wanted = keys_of_listeners(plan);
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const auto found = std::ranges::find(present, wanted[i]);
    const bool is_present = found != present.end();
    const std::size_t index = is_present ? indices_[static_cast<std::size_t>(found - present.begin())] : 0;
    const bool is_lost = is_present && has_lost_file(server, index);
    const auto keep = [&] {
      change.indices.push_back(index);
      std::erase(change.removed, index);
    };
    if (is_present && !is_lost) {
      keep();
      continue;
    }
    if (is_lost) change.plan[i].at = server::without_passed(plan[i].at);
    auto prepared = load(change.plan[i]);
    if (!prepared) return std::unexpected(prepared.error().message);
    auto bound = server.bind_listener(prepared->all().front());
    if (!bound && !is_lost)
      return std::unexpected(key_of_listener(plan[i]) + ": cannot listen: " + bound.error().message());
    if (!bound) {
      log::warn("unix_socket_lost", {{"path", plan[i].at.unix_path}, {"error", bound.error().message()}});
      keep();
      continue;
    }
    if (is_lost) change.restored.push_back(plan[i].at.unix_path);
    change.indices.push_back(server.listener_count() + change.added.size());
    change.added.push_back({.in_plan = i, .prepared = *std::move(prepared), .bound = *std::move(bound)});
  }
  return change;
}

void LiveListeners::apply(session::Server& server, Change change, const MakeSite& make_site) {
  for (Change::Added& added : change.added) {
    const std::size_t index = change.indices[added.in_plan];
    log::info("listening", {{"address", added.bound.address.text()}});
    server.add_listener(std::move(added.bound), [make_site, index](session::LoopServer& loop, std::size_t i) {
      return make_site(loop, i, index);
    });
    const std::scoped_lock lock(mutex_);
    prepared_.emplace(index, std::move(added.prepared));
  }
  for (const std::string& path : change.restored) log::warn("unix_socket_restored", {{"path", path}});
  const bool has_removed = !change.removed.empty();
  for (const std::size_t index : change.removed) {
    log::info("listener_removed", {{"address", server.addresses()[index].text()}});
    server.remove_listener(index);
    const std::scoped_lock lock(mutex_);
    prepared_.erase(index);
  }
  plan_ = std::move(change.plan);
  indices_ = std::move(change.indices);
  addresses_.clear();
  for (const std::size_t index : indices_) addresses_.push_back(server.addresses()[index]);
  if (has_removed && !server.wait_for_loops()) log::warn("listener_not_closed_yet");
}

std::vector<std::string> LiveListeners::names() const {
  ServePlan plan;
  plan.listeners = plan_;
  const std::vector<std::string> of_plan = names_of_listeners(plan);
  std::vector<std::string> names(indices_.empty() ? 0 : *std::ranges::max_element(indices_) + 1);
  for (std::size_t i = 0; i < indices_.size(); ++i) names[indices_[i]] = of_plan[i];
  return names;
}

std::vector<std::string> LiveListeners::reload_certificates() const {
  std::vector<std::string> failures;
  const std::scoped_lock lock(mutex_);
  for (const auto& [index, listeners] : prepared_) {
    std::ranges::move(listeners.reload_certificates(), std::back_inserter(failures));
  }
  return failures;
}

}  // namespace fanfare::gateway
