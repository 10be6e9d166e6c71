#include "access/principal.h"

#include <algorithm>

namespace fanfare::access {
namespace {

bool grants_contracts(const ContractRules& rules, const Action& action) {
  if (rules.is_empty()) return true;
  if (action.every_contract) return false;
  return std::ranges::all_of(action.contracts, [&](const std::string& one) { return rules.grants(one); });
}

bool grants_canvas(const Role& role, const Action& action) {
  const auto moderates = [&](std::string_view room) { return role.canvas_moderate.allows(room); };
  const auto draws = [&](std::string_view room) { return role.canvas_draw.allows(room) || moderates(room); };
  const auto views = [&](std::string_view room) { return role.canvas_view.allows(room) || draws(room); };
  return (action.canvas_view.empty() || views(action.canvas_view)) &&
         (action.canvas_draw.empty() || draws(action.canvas_draw)) &&
         (action.canvas_moderate.empty() || moderates(action.canvas_moderate));
}

bool grants(const Role& role, const Action& action) {
  if (!action.method.empty() && !role.methods.allows(action.method)) return false;
  if (!action.topic.empty() && !role.topics.allows(action.topic)) return false;
  if (!action.stream.empty() && !role.streams.allows(action.stream)) return false;
  if (!action.project.empty() && !role.projects.allows(action.project)) return false;
  if (!action.network.empty() && !role.networks.is_empty() && !role.networks.allows(action.network)) {
    return false;
  }
  return grants_canvas(role, action) && grants_contracts(role.contracts, action);
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

bool Principal::is_shared() const {
  return origin.kind == CredentialOrigin::Kind::anonymous ||
         (origin.kind == CredentialOrigin::Kind::token && name == kTokenNamePrefix);
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
