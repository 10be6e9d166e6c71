#pragma once
// The `admin` section of the configuration file (docs/admin.md).

#include <optional>

#include "gateway/admin_plan.h"
#include "gateway/config_fields.h"
#include "gateway/config_yaml.h"

namespace fanfare::gateway {

struct AdminConfig {
  AdminPlan plan;
  Location location;
  bool is_public = false;  // the port is open to other machines
};

void read_admin(const ReadContext& context, const YamlNode& node, std::optional<AdminConfig>& out);

// The listener's port, or 0.
std::uint16_t admin_port_of(const AdminPlan& plan);
// Of its Unix socket; empty: none.
std::string admin_path_of(const AdminPlan& plan);

}  // namespace fanfare::gateway
