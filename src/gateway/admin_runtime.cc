#include "gateway/admin_runtime.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gateway/admin_page.h"
#include "gateway/admitted_caller.h"
#include "gateway/upgrade/passed_sockets.h"

namespace fanfare::gateway {
admin::AdminMountOptions admin_mount_options(bool has_access, std::size_t prefix_segments) {
  admin::AdminMountOptions options{.prefix_segments = prefix_segments};
  if (!has_access) return options;
  options.guard = [](const server::Target& target) -> std::optional<admin::Problem> {
    const AdmittedCaller* const admitted = AdmittedCaller::of(target.admitted.get());
    if (admitted != nullptr &&
        admitted->principal->names({.method = kAdminPermission}, kAdminPermission.size() - 1))
      return std::nullopt;
    return admin::Problem{.status = 403, .detail = "these credentials do not grant fanfare_admin"};
  };
  return options;
}

AdminRuntime::AdminRuntime(const std::optional<AdminPlan>& plan, const AdminParts& parts, AccessGate* gate,
                           std::function<std::string()> metrics)
    : plan_(std::make_shared<const AdminPlan>(plan.value_or(AdminPlan{}))),
      subject_(parts),
      api_(subject_),
      server_(api_, server_options(parts.plan()->loop_kind, gate, std::move(metrics))) {}

std::shared_ptr<const AdminPlan> AdminRuntime::plan() const {
  const std::scoped_lock lock(mutex_);
  return plan_;
}

admin::ServerOptions AdminRuntime::server_options(net::LoopKind loop_kind, AccessGate* gate,
                                                  std::function<std::string()> metrics) {
  admin::ServerOptions options;
  options.listeners = plan_->listeners;
  options.group = plan_->group;
  options.admission = gate;
  options.port_mount = admin_mount_options(gate != nullptr, 0);
  options.loop_kind = loop_kind;
  options.more = [this, has_access = gate != nullptr, metrics = std::move(metrics)](server::Router& router) {
    const auto now = plan();
    if (!now->web_directory.empty()) mount_admin_page(router, *now, has_access, metrics);
  };
  return options;
}

std::expected<void, Error> AdminRuntime::start() {
  if (plan_->listeners.empty()) return {};
  auto started = server_.start();
  if (!started) started.error().message = "cannot listen for the admin API: " + started.error().message;
  return started;
}

std::expected<AdminRuntime::Change, std::string> AdminRuntime::prepare(const std::optional<AdminPlan>& plan) {
  const auto failed = [](const Error& error) {
    return std::unexpected("cannot listen for the admin API: " + error.message);
  };
  const AdminPlan wanted = plan.value_or(AdminPlan{});
  Change change{.plan = plan, .listeners = {}};
  if (!server_.has_started()) {
    if (wanted.listeners.empty()) return change;
    // A thread without listeners, which stays until the end.
    if (auto started = server_.start(); !started) return failed(started.error());
  }
  auto listeners = server_.prepare(wanted.listeners, wanted.group);
  if (!listeners) return failed(listeners.error());
  change.listeners = *std::move(listeners);
  return change;
}

void AdminRuntime::apply(Change change) {
  auto wanted = std::make_shared<const AdminPlan>(change.plan.value_or(AdminPlan{}));
  const bool has_other_page = wanted->web_directory != plan_->web_directory;
  {
    const std::scoped_lock lock(mutex_);
    plan_ = std::move(wanted);
  }
  if (!change.listeners) return;
  const std::vector<std::size_t> before = server_.indices();
  for (const std::string& path : change.listeners->restored)
    log::warn("unix_socket_restored", {{"path", path}});
  for (const auto& [path, error] : change.listeners->lost)
    log::warn("unix_socket_lost", {{"path", path}, {"error", error.message()}});
  if (!server_.apply(*std::move(change.listeners))) log::warn("listener_not_closed_yet");
  const std::vector<std::size_t>& now = server_.indices();
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (std::ranges::find(before, now[i]) == before.end())
      log::info("admin_listening", {{"address", addresses()[i].text()}});
  }
  for (const std::size_t index : before) {
    if (std::ranges::find(now, index) == now.end())
      log::info("admin_listener_removed", {{"address", server_.sockets().addresses()[index].text()}});
  }
  if (has_other_page) server_.remake_ports();
}

std::vector<std::string> AdminRuntime::names() const {
  ServePlan plan;
  plan.admin = *plan_;
  const std::vector<std::string> of_plan = names_of_admin_listeners(plan);
  const std::vector<std::size_t>& indices = server_.indices();
  std::vector<std::string> names(indices.empty() ? 0 : *std::ranges::max_element(indices) + 1);
  for (std::size_t i = 0; i < indices.size(); ++i) names[indices[i]] = of_plan[i];
  return names;
}

}  // namespace fanfare::gateway
