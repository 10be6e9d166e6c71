#include "access/bitcoin_options.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace fanfare::access {
namespace {

using Whitelists = std::map<std::string, std::set<std::string>>;

std::set<std::string> methods_of(std::string_view list) {
  std::set<std::string> methods;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(", "), list.size());
    if (end > 0) methods.emplace(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return methods;
}

std::expected<Whitelists, std::string> whitelists_of(const std::vector<std::string>& options) {
  Whitelists lists;
  for (const std::string& option : options) {
    const std::size_t colon = option.find(':');
    const std::string user = option.substr(0, colon);
    if (user.empty()) return std::unexpected("rpcwhitelist has no user");
    // A user alone, "alice", may call nothing.
    const std::string_view rest =
        colon == std::string::npos ? std::string_view() : std::string_view(option).substr(colon + 1);
    auto methods = methods_of(rest);
    const auto [found, is_first] = lists.try_emplace(user, methods);
    if (is_first) continue;
    std::erase_if(found->second, [&](const std::string& one) { return !methods.contains(one); });
  }
  return lists;
}

std::expected<std::vector<PasswordHash>, std::string> passwords_of(const BitcoinOptions& options,
                                                                   Random& random) {
  std::vector<PasswordHash> hashes;
  if (options.rpcuser.empty() != options.rpcpassword.empty()) {
    return std::unexpected("rpcuser and rpcpassword must be given together");
  }
  if (options.rpcuser.contains(':')) return std::unexpected("rpcuser contains a colon");
  if (!options.rpcuser.empty()) {
    hashes.push_back(hash_password(options.rpcuser, options.rpcpassword, random));
  }
  for (const std::string& one : options.rpcauth) {
    auto hash = parse_rpcauth(one);
    if (!hash) return std::unexpected("rpcauth " + hash.error());
    hashes.push_back(*std::move(hash));
  }
  if (options.cookie) hashes.push_back(*options.cookie);
  return hashes;
}

std::expected<std::vector<AddressRange>, std::string> addresses_of(const std::vector<std::string>& options) {
  std::vector<AddressRange> ranges;
  for (const std::string_view always : {"127.0.0.0/8", "::1"}) ranges.push_back(*AddressRange::parse(always));
  for (const std::string& one : options) {
    const auto range = AddressRange::parse(one);
    if (!range) return std::unexpected("rpcallowip is not an address or a range");
    ranges.push_back(*range);
  }
  return ranges;
}

// Names of methods are not patterns here: "get*" is a method that nobody has.
std::vector<std::string> exact(const std::set<std::string>& methods) {
  std::vector<std::string> names;
  std::ranges::copy_if(methods, std::back_inserter(names),
                       [](const std::string& one) { return !one.contains('*'); });
  return names;
}

}  // namespace

std::expected<AccessPlan, std::string> plan_from(const BitcoinOptions& options, Random& random) {
  const auto lists = whitelists_of(options.rpcwhitelist);
  if (!lists) return std::unexpected(lists.error());
  const auto passwords = passwords_of(options, random);
  if (!passwords) return std::unexpected(passwords.error());
  auto addresses = addresses_of(options.rpcallowip);
  if (!addresses) return std::unexpected(addresses.error());

  const bool denies_others = options.rpcwhitelistdefault.value_or(!lists->empty());
  AccessPlan plan{.roles = {}, .allowed_addresses = *std::move(addresses)};
  std::set<std::string> users;
  for (const PasswordHash& password : *passwords) {
    Role role{.name = principal_name("user:" + password.user),
              .topics = {.allow = {"*"}},
              .projects = {.allow = {"*"}}};
    const auto list = lists->find(password.user);
    if (list != lists->end()) {
      role.methods.allow = exact(list->second);
    } else if (!denies_others) {
      role.methods.allow = {"*"};
    }
    plan.users.push_back({.password = password, .roles = {role.name}});
    if (!users.insert(password.user).second) continue;
    plan.roles.push_back({.role = std::move(role)});
  }
  return plan;
}

}  // namespace fanfare::access
