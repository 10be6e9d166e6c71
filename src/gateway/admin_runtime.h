#pragma once
// The admin API of a running gateway: what it shows, and its listeners.

#include <expected>
#include <functional>
#include <optional>

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

class AdminRuntime {
 public:
  // `gate`: null without access control. `metrics`: the text of /metrics. All must outlive it; it must outlive the
  // threads of the gateway.
  AdminRuntime(const AdminPlan& plan, const AdminParts& parts, AccessGate* gate,
               std::function<std::string()> metrics);

  // For the mount on the gateway's own ports.
  admin::Api& api() { return api_; }
  std::expected<void, Error> start();
  const std::vector<net::Address>& addresses() const { return server_.addresses(); }
  session::Server& sockets() { return server_.sockets(); }
  void stop() { server_.stop(std::chrono::seconds(1)); }

 private:
  AdminSubject subject_;
  admin::Api api_;
  admin::Server server_;
};

}  // namespace fanfare::gateway
