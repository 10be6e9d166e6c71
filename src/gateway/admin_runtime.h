#pragma once
// The admin API of a running gateway: what it shows, and its listeners.

#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "admin/api.h"
#include "admin/server.h"
#include "fanfare/error.h"
#include "gateway/access_gate.h"
#include "gateway/admin_subject.h"

namespace fanfare::gateway {

// What a role must name in full for the admin API on a port: it shows and does everything.
inline constexpr std::string_view kAdminPermission = "fanfare_admin";

// Refuses callers whose role does not grant it; empty without access control.
admin::AdminMountOptions admin_mount_options(bool has_access, std::size_t prefix_segments);

// On the thread of Gateway::start() and stop(). It is there without listeners, too, so that a reload can add some.
class AdminRuntime {
 public:
  // `gate`: null without access control. `metrics`: the text of /metrics. All must outlive it; it must outlive the
  // threads of the gateway.
  AdminRuntime(const std::optional<AdminPlan>& plan, const AdminParts& parts, AccessGate* gate,
               std::function<std::string()> metrics);

  // For the mount on the gateway's own ports.
  admin::Api& api() { return api_; }
  // Nothing happens without listeners.
  std::expected<void, Error> start();

  // Another plan while it runs. Binds what it adds. Without apply() nothing has changed; after it nothing can fail. The error is for
  // the operator.
  struct Change {
    std::optional<AdminPlan> plan;
    std::optional<admin::Server::Change> listeners;  // empty: there were none, and there are none
    bool is_empty() const { return !listeners || listeners->is_empty(); }
  };
  std::expected<Change, std::string> prepare(const std::optional<AdminPlan>& plan);
  void apply(Change change);

  // In the order of the plan's listeners.
  std::vector<net::Address> addresses() const { return server_.addresses(); }
  // For another process (names_of_admin_listeners()), by index in sockets().
  std::vector<std::string> names() const;
  std::vector<std::string> reload_certificates() const { return server_.reload_certificates(); }
  session::Server& sockets() { return server_.sockets(); }
  void stop() { server_.stop(std::chrono::seconds(1)); }

 private:
  std::shared_ptr<const AdminPlan> plan() const;
  admin::ServerOptions server_options(net::LoopKind loop_kind, AccessGate* gate,
                                      std::function<std::string()> metrics);

  mutable std::mutex mutex_;               // guards plan_
  std::shared_ptr<const AdminPlan> plan_;  // never null
  AdminSubject subject_;
  admin::Api api_;
  admin::Server server_;
};

}  // namespace fanfare::gateway
