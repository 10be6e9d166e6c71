#include "gateway/config_access_names.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace fanfare::gateway {
namespace {

using access::AccessPlan;
using access::NameRules;

const YamlNode* find(const YamlNode& map, std::string_view key) {
  const auto found = std::ranges::find(map.entries, key, &YamlEntry::key);
  return found == map.entries.end() ? nullptr : &found->value;
}

class NameCheck {
 public:
  NameCheck(const ReadContext& context, const Config& config)
      : context_(context), config_(config), plan_(*config.access.plan) {
    for (const access::RolePlan& one : plan_.roles) roles_.insert(one.role.name);
    for (const ProjectConfig& project : config.projects) {
      projects_.insert(project.id);
      for (const NetworkConfig& network : project.networks) {
        networks_.insert(std::to_string(network.chain_id));
      }
    }
    if (config.canvas) {
      for (const auto& room : config.canvas->plan.rooms) canvas_rooms_.insert(room.spec.name);
    }
    if (!config.streams) return;
    for (const StreamDefinition& one : config.streams->definitions) streams_.insert(one.plan.spec.name);
  }

  // Each plan's list has the order of the file, where all of it could be read.
  void check(const YamlNode& access) {
    each(access, "roles", plan_.roles,
         [&](const YamlNode& node, const auto& path, const access::RolePlan& one) {
           take_name(node, path, one.role.name, role_lines_);
           check_rules(node, path, "projects", one.role.projects, projects_, "the id of a project");
           check_rules(node, path, "networks", one.role.networks, networks_, "the chainId of a network");
           check_rules(node, path, "streams", one.role.streams, streams_, "the name of a stream");
           check_canvas(node, path + ".canvas", one.role);
         });
    each(access, "keys", plan_.keys, [&](const YamlNode& node, const auto& path, const access::KeyPlan& one) {
      take_name(node, path, one.name, lines_);
      check_roles(node, path, "roles", one.roles);
      const int line = node.location.line;
      const auto [before, is_new] = key_lines_.emplace(one.digest, line);
      if (!is_new) report(node.location, path + " has the same key as another one", "", before->second);
    });
    check_users(access);
    each(access, "certificates", plan_.certificates,
         [&](const YamlNode& node, const auto& path, const access::CertificatePlan& one) {
           take_name(node, path, one.name, lines_);
           check_roles(node, path, "roles", one.roles);
         });
    check_roles(access, "access", "anonymousRoles", plan_.anonymous_roles);
    check_roles(access, "access", "cookieRoles", config_.access.cookie_roles);
    const YamlNode* const jwt = find(access, "jwt");
    if (jwt != nullptr && plan_.tokens) {
      check_roles(*jwt, "access.jwt", "defaultRoles", plan_.tokens->default_roles);
    }
  }

 private:
  using Names = std::set<std::string, std::less<>>;
  using Lines = std::map<std::string, int, std::less<>>;

  template <typename Plan, typename Check>
  static void each(const YamlNode& access, std::string_view key, const std::vector<Plan>& plans,
                   const Check& check) {
    const YamlNode* const list = find(access, key);
    if (list == nullptr || list->items.size() != plans.size()) return;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      check(list->items[i], "access." + std::string(key) + "[" + std::to_string(i) + "]", plans[i]);
    }
  }

  // A user may stand there several times, with the old and the new password. Keys and certificates may not have its name.
  void check_users(const YamlNode& access) {
    Lines users;
    each(access, "users", plan_.users,
         [&](const YamlNode& node, const auto& path, const access::UserPlan& one) {
           if (users.emplace(one.password.user, node.location.line).second) {
             take_name(node, path, one.password.user, lines_);
           }
           check_roles(node, path, "roles", one.roles);
         });
  }

  void take_name(const YamlNode& node, const std::string& path, const std::string& name, Lines& lines) {
    const YamlNode* const id = find(node, "id");
    if (id == nullptr) return;
    const auto [before, is_new] = lines.emplace(name, id->location.line);
    if (!is_new) report(id->location, path + ".id is a duplicate", name, before->second);
  }

  void check_roles(const YamlNode& map, const std::string& path, std::string_view key,
                   const std::vector<std::string>& names) {
    check_list(find(map, key), path + "." + std::string(key), names, roles_, "the id of a role");
  }

  void check_rules(const YamlNode& role, const std::string& path, std::string_view key,
                   const NameRules& rules, const Names& known, std::string_view expected) {
    const YamlNode* const node = find(role, key);
    if (node == nullptr) return;
    const std::string name = path + "." + std::string(key);
    if (node->kind == YamlNode::Kind::sequence) return check_list(node, name, rules.allow, known, expected);
    check_list(find(*node, "allow"), name + ".allow", rules.allow, known, expected);
    check_list(find(*node, "deny"), name + ".deny", rules.deny, known, expected);
  }

  // A pattern may be for what is still to come.
  void check_list(const YamlNode* list, const std::string& path, const std::vector<std::string>& names,
                  const Names& known, std::string_view expected) {
    if (list == nullptr || list->items.size() != names.size()) return;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].ends_with('*') || known.contains(names[i])) continue;
      const YamlNode& node = list->items[i];
      context_.diagnostics.report(node.location, path + "[" + std::to_string(i) + "] does not exist (" +
                                                     quoted_for_message(node.text) + "), expected " +
                                                     std::string(expected));
    }
  }

  void check_canvas(const YamlNode& role, const std::string& path, const access::Role& one) {
    const YamlNode* const node = find(role, "canvas");
    if (node == nullptr) return;
    constexpr std::string_view kRoom = "the name of a room of the canvas";
    check_rules(*node, path, "view", one.canvas_view, canvas_rooms_, kRoom);
    check_rules(*node, path, "draw", one.canvas_draw, canvas_rooms_, kRoom);
    check_rules(*node, path, "moderate", one.canvas_moderate, canvas_rooms_, kRoom);
  }

  void report(Location location, const std::string& what, const std::string& name, int line) {
    const std::string value = name.empty() ? "" : " (" + quoted_for_message(name) + ")";
    context_.diagnostics.report(location, what + value + ", expected it once (it already stands in line " +
                                              std::to_string(line) + ")");
  }

  const ReadContext& context_;
  const Config& config_;
  const AccessPlan& plan_;
  Names roles_;
  Names projects_;
  Names networks_;
  Names streams_;
  Names canvas_rooms_;
  Lines role_lines_;
  Lines lines_;  // of keys, users and certificates
  std::map<access::Digest, int> key_lines_;
};

}  // namespace

void check_access_names(const ReadContext& context, const YamlNode& access, const Config& config) {
  NameCheck(context, config).check(access);
}

}  // namespace fanfare::gateway
