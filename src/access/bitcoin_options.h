#pragma once
// The options of Bitcoin Core's RPC server as a plan: rpcuser, rpcpassword, rpcauth, rpcwhitelist,
// rpcwhitelistdefault, rpcallowip, with its meaning. Pure, but for the salt of a plain password.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/plan.h"
#include "base/random.h"

namespace fanfare::access {

// Values as they stand after "name=".
struct BitcoinOptions {
  std::string rpcuser = {};
  std::string rpcpassword = {};           // both, or neither
  std::vector<std::string> rpcauth = {};  // "USER:SALT$HMAC"
  // "USER:METHOD,METHOD". Several of one user: only the methods of all of them. "USER:" grants none.
  std::vector<std::string> rpcwhitelist = {};
  // Whether users without a whitelist may call nothing, instead of everything. Empty: yes if there is any whitelist.
  std::optional<bool> rpcwhitelistdefault = {};
  std::vector<std::string> rpcallowip = {};  // besides loopback, which is always allowed
  std::optional<PasswordHash> cookie = {};   // of CookieFile
};

// Topics are granted to every user, methods as the whitelists say. The error names the option, never its value.
std::expected<AccessPlan, std::string> plan_from(const BitcoinOptions& options, Random& random);

}  // namespace fanfare::access
