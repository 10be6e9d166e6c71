#include "gateway/admin_runtime.h"

#include <utility>

#include "gateway/admin_page.h"
#include "gateway/admitted_caller.h"

namespace fanfare::gateway {
namespace {

admin::ServerOptions admin_server_options(const AdminPlan& plan, net::LoopKind loop_kind, AccessGate* gate,
                                          std::function<std::string()> metrics) {
  admin::ServerOptions options;
  options.listeners = plan.listeners;
  options.group = plan.group;
  options.admission = gate;
  options.port_mount = admin_mount_options(gate != nullptr, 0);
  options.loop_kind = loop_kind;
  if (!plan.web_directory.empty()) {
    options.more = [plan, has_access = gate != nullptr, metrics = std::move(metrics)](
                       server::Router& router) { mount_admin_page(router, plan, has_access, metrics); };
  }
  return options;
}

}  // namespace

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

AdminRuntime::AdminRuntime(const AdminPlan& plan, const AdminParts& parts, AccessGate* gate,
                           std::function<std::string()> metrics)
    : subject_(parts),
      api_(subject_),
      server_(api_, admin_server_options(plan, parts.plan()->loop_kind, gate, std::move(metrics))) {}

std::expected<void, Error> AdminRuntime::start() {
  auto started = server_.start();
  if (!started) started.error().message = "cannot listen for the admin API: " + started.error().message;
  return started;
}

}  // namespace fanfare::gateway
