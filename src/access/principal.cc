#include "access/principal.h"

#include <algorithm>

namespace fanfare::access {
namespace {

bool grants_contracts(const NameRules& rules, const Action& action) {
  if (rules.is_empty()) return true;
  if (action.every_contract) return false;
  const auto grants = [&](const std::string& contract) {
    if (!rules.allow.empty()) return rules.allows(contract);
    // Only exceptions are listed.
    const NameRules all_others{.allow = {"*"}, .deny = rules.deny};
    return all_others.allows(contract);
  };
  return std::ranges::all_of(action.contracts, grants);
}

bool grants(const Role& role, const Action& action) {
  if (!action.method.empty() && !role.methods.allows(action.method)) return false;
  if (!action.topic.empty() && !role.topics.allows(action.topic)) return false;
  if (!action.stream.empty() && !role.streams.allows(action.stream)) return false;
  if (!action.project.empty() && !role.projects.allows(action.project)) return false;
  if (!action.network.empty() && !role.networks.is_empty() && !role.networks.allows(action.network)) {
    return false;
  }
  return grants_contracts(role.contracts, action);
}

}  // namespace

const Role* Principal::role_for(const Action& action) const {
  const auto found = std::ranges::find_if(roles, [&](const Role& role) { return grants(role, action); });
  return found == roles.end() ? nullptr : &*found;
}

bool Principal::names(const Action& action, std::size_t prefix_size) const {
  return std::ranges::any_of(roles, [&](const Role& role) {
    const auto size = role.methods.allowed_by(action.method);
    return size && *size > prefix_size && grants(role, action);
  });
}

bool Principal::restricts_contracts() const {
  return std::ranges::any_of(roles, [](const Role& role) { return !role.contracts.is_empty(); });
}

std::string_view Principal::label() const {
  return roles.empty() ? std::string_view("none") : std::string_view(roles.front().name);
}

std::string principal_name(std::string_view text) {
  std::string name(text.substr(0, kPrincipalNameMax));
  std::ranges::replace_if(name, [](char c) { return c <= ' ' || c >= '\x7f'; }, '?');
  return name;
}

}  // namespace fanfare::access
