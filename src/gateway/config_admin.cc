#include "gateway/config_admin.h"

#include <charconv>
#include <string>

#include "gateway/config_endpoint.h"
#include "net/socket.h"

namespace fanfare::gateway {
namespace {

constexpr unsigned kAdminMode = 0600;

void read_socket(const ReadContext& context, const MapFields& fields, AdminPlan& out) {
  server::ListenerOptions path{.unix_mode = kAdminMode};
  if (!fields.read("socket", path.unix_path)) {
    const auto directory = context.environment("XDG_RUNTIME_DIR");
    path.unix_path = default_admin_socket(directory ? directory->c_str() : nullptr);
  }
  if (const auto address = net::Address::unix_path(path.unix_path); !address) {
    const YamlNode* const node = fields.find("socket");
    fields.report(node == nullptr ? fields.location() : node->location, "socket", "cannot be a Unix socket",
                  path.unix_path, "a path of 1 to 107 bytes");
  }
  std::string text;
  if (fields.read("mode", text)) {
    unsigned mode = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    // Everyone who can connect can close connections.
    if (error != std::errc() || end != text.data() + text.size() || mode > 0777 || (mode & 07U) != 0) {
      fields.report(fields.find("mode")->location, "mode", "is not a file mode without rights for others",
                    text, "\"0600\" or \"0660\"");
    }
    path.unix_mode = mode;
  }
  fields.read("group", out.group);
  out.listeners.push_back(std::move(path));
}

}  // namespace

std::string default_admin_socket(const char* runtime_directory) {
  if (runtime_directory == nullptr || *runtime_directory == '\0') return "/run/fanfare/admin.sock";
  return std::string(runtime_directory) + "/fanfare.sock";
}

std::uint16_t admin_port_of(const AdminPlan& plan) {
  for (const server::ListenerOptions& listener : plan.listeners) {
    if (listener.unix_path.empty()) return listener.port;
  }
  return 0;
}

std::string admin_path_of(const AdminPlan& plan) {
  for (const server::ListenerOptions& listener : plan.listeners) {
    if (!listener.unix_path.empty()) return listener.unix_path;
  }
  return {};
}

void read_admin(const ReadContext& context, const YamlNode& node, std::optional<AdminConfig>& out) {
  const MapFields fields(context, node, "admin", {"socket", "mode", "group", "port", "host"});
  AdminConfig& config = out.emplace();
  config.location = fields.location();
  const YamlNode* const port_node = fields.find("port");
  // A port alone is a port alone.
  const bool has_socket = fields.find("socket") != nullptr || port_node == nullptr;
  if (has_socket) {
    read_socket(context, fields, config.plan);
  } else if (const char* const key = fields.find("mode") != nullptr    ? "mode"
                                     : fields.find("group") != nullptr ? "group"
                                                                       : nullptr) {
    fields.report(fields.find(key)->location, key, "has no effect without admin.socket", "",
                  "both, or neither");
  }
  server::ListenerOptions port;
  if (fields.read("host", port.host)) {
    const YamlNode& host = *fields.find("host");
    if (!is_listen_address(port.host)) {
      fields.report(host.location, "host", "is not an address", host.text,
                    "an IPv4 or IPv6 address without brackets, or localhost");
    } else if (port_node == nullptr) {
      fields.report(host.location, "host", "has no effect without admin.port", "", "both, or neither");
    }
  }
  if (fields.read("port", port.port, 0, 65535)) {
    config.is_public = !is_loopback_address(port.host);
    config.plan.listeners.push_back(std::move(port));
  }
}

}  // namespace fanfare::gateway
