#include "gateway/method_rules.h"

#include <algorithm>
#include <array>
#include <optional>

#include "gateway/filter_calls.h"
#include "http/headers.h"
#include "http/url.h"
#include "server/browser_rules.h"

namespace fanfare::gateway {
namespace {

// Methods of go-ethereum, Erigon, Nethermind, Besu, Reth and nodes derived from them.
constexpr auto kRefused = std::to_array<std::string_view>(
    {// Administration: peers, keys, mining, consensus, permissions, plugins.
     "admin_*", "personal_*", "engine_*", "miner_*", "clique_*", "les_*", "lespay_*", "vflux_*", "ethash_*",
     "parity_set*", "parity_clear*", "parity_add*", "parity_remove*", "parity_drop*", "parity_allAccounts*",
     "parity_derive*", "parity_accounts*", "parity_sign*", "parity_new*", "parity_kill*", "parity_change*",
     "parity_export*", "parity_import*", "parity_test*", "parity_decrypt*", "parity_post*", "signer_*",
     "vault_*", "account_*", "ibft_*", "qbft_*", "istanbul_*", "raft_*", "perm_*", "quorumPermission_*",
     "quorumExtension_*", "plugins_*", "priv_*", "eea_*", "shh_*", "bzz_*", "db_*", "opp2p_*", "conductor_*",
     "parlia_*", "internal_*", "maintenance_*",
     // debug_: methods that change the chain, the database or the process, access files, or profile.
     "debug_set*", "debug_db*", "debug_chaindb*", "debug_write*", "debug_start*", "debug_stop*",
     "debug_reset*", "debug_resync*", "debug_delete*", "debug_insert*", "debug_migrate*", "debug_free*",
     "debug_batchSendRaw*", "debug_standardTrace*", "debug_verbosity", "debug_vmodule", "debug_backtraceAt",
     "debug_cpuProfile", "debug_blockProfile", "debug_mutexProfile", "debug_memProfile", "debug_goTrace",
     "debug_stacks", "debug_traceBlockFromFile", "debug_traceBlockByFile", "debug_getFromDb",
     "debug_getConfigValue"});
constexpr auto kDeveloper =
    std::to_array<std::string_view>({"anvil_*", "hardhat_*", "evm_*", "dev_*", "ganache_*", "tenderly_set*",
                                     "tenderly_add*", "wallet_*", "eth_resend", "personal_sign"});
// Of the methods that sign or send, in any namespace, those that send what the client has signed. All others may use
// keys of the node: new ones appear (eth_sendTransactionSync), so their names cannot be listed.
constexpr auto kSendsSigned = std::to_array<std::string_view>(
    {"sendRaw*", "sendPrivateRaw*", "sendPrivateTransaction", "sendBundle", "sendPrivateBundle",
     "sendMegabundle", "sendEndOfBlockBundle", "sendBlob*", "sendUserOperation"});

bool begins(std::string_view text, std::string_view with, bool any_case) {
  if (text.size() < with.size()) return false;
  const std::string_view start = text.substr(0, with.size());
  return any_case ? http::equals_ignoring_case(start, with) : start == with;
}

bool fits(std::string_view pattern, std::string_view method, bool any_case) {
  if (pattern.ends_with('*')) return begins(method, pattern.substr(0, pattern.size() - 1), any_case);
  return method.size() == pattern.size() && begins(method, pattern, any_case);
}

template <typename Patterns>
bool any_fits(const Patterns& patterns, std::string_view method) {
  constexpr int kCase = 'a' ^ 'A';
  // Nearly all differ in the first letter.
  return !method.empty() && std::ranges::any_of(patterns, [&](std::string_view one) {
    return ((one[0] ^ method[0]) & ~kCase) == 0 && fits(one, method, true);
  });
}

// The length of the longest matching pattern.
std::optional<std::size_t> longest(const std::vector<std::string>& patterns, std::string_view method,
                                   bool any_case) {
  std::optional<std::size_t> found;
  for (const std::string& pattern : patterns) {
    if (fits(pattern, method, any_case)) found = std::max(found.value_or(0), pattern.size());
  }
  return found;
}

bool may_use_keys(std::string_view method) {
  const std::string_view name = method.substr(method.find('_') + 1);
  return begins(name, "sign", true) || (begins(name, "send", true) && !any_fits(kSendsSigned, name));
}

bool is_visible(char c) {
  return c > ' ' && c < '\x7f';
}

bool may_leave(std::string_view method) {
  return std::ranges::all_of(method, is_visible) && !begins(method, "fanfare_", true);
}

std::string shown(std::string_view method) {
  constexpr std::size_t kNameShown = 64;
  std::string name(method.substr(0, kNameShown));
  std::ranges::replace_if(name, [](char c) { return !is_visible(c); }, '?');
  return name;
}

// Subscriptions other than the gateway's would belong to the connection to the node, which all clients share.
bool subscribes_elsewhere(std::string_view method) {
  if (method == "eth_subscribe" || method == "eth_unsubscribe") return false;
  for (std::size_t at = method.find('_'); at != std::string_view::npos; at = method.find('_', at + 1)) {
    const std::string_view rest = method.substr(at + 1);
    if (begins(rest, "subscribe", true) || begins(rest, "unsubscribe", true)) return true;
  }
  return false;
}

// No node makes subscriptions or filters for clients, however it compares names.
bool makes_state_of_a_node(std::string_view method) {
  return subscribes_elsewhere(method) || FilterCalls::is_misspelt(method);
}

}  // namespace

bool is_method_pattern(std::string_view text) {
  if (text.empty()) return false;
  if (text.ends_with('*')) text.remove_suffix(1);
  return std::ranges::all_of(text, [](char c) { return is_visible(c) && c != '*' && c != ','; });
}

bool MethodRules::needs_a_name(std::string_view method) {
  return begins(method, "debug_", true);
}

MethodRules::Kind MethodRules::kind_of(std::string_view method) {
  if (makes_state_of_a_node(method)) return Kind::refused;
  // personal_sign is a developer method; the rest of its namespace is not.
  if (any_fits(kDeveloper, method)) return Kind::developer;
  if (any_fits(kRefused, method)) return Kind::refused;
  return may_use_keys(method) ? Kind::developer : Kind::open;
}

bool MethodRules::allows(std::string_view method, bool developer) const {
  if (!may_leave(method)) return false;
  const auto denied = longest(plan_.deny, method, true);
  const auto allowed = longest(plan_.allow, method, false);
  if (denied && denied >= allowed) return false;
  if (allowed) return true;
  const Kind kind = kind_of(method);
  return kind == Kind::open || (kind == Kind::developer && developer);
}

std::optional<std::string> MethodRules::refusal_of_role(std::string_view method, bool named) const {
  const auto denied = longest(plan_.deny, method, true);
  const auto allowed = longest(plan_.allow, method, false);
  // Subscriptions of other namespaces would be of a connection to the node that all share, whoever asks.
  const bool is_shared = makes_state_of_a_node(method) && !allowed;
  if (!may_leave(method) || is_shared || (denied && denied >= allowed)) return refusal(method);
  if (named || kind_of(method) == Kind::open) return std::nullopt;
  return "the method " + shown(method) + " needs a role that names it or its namespace; \"*\" is not enough";
}

std::string MethodRules::refusal(std::string_view method) {
  if (begins(method, "fanfare_", true)) {
    return "the method " + shown(method) + " is the gateway's own, and not offered here";
  }
  return "the method " + shown(method) +
         " is not allowed here (setting: methods.allow of the project, or --allow-method)";
}

bool is_on_loopback(const Backend& backend) {
  const auto* const upstreams = std::get_if<UpstreamBackend>(&backend);
  if (upstreams == nullptr) return true;  // in-process
  return std::ranges::all_of(*upstreams, [](const UpstreamPlan& upstream) {
    const auto url = http::parse_url(upstream.url);
    return url && server::is_loopback_name(url->is_ipv6() ? "[" + url->host + "]" : url->host);
  });
}

}  // namespace fanfare::gateway
