#pragma once
// Who may call a program's methods (fanfare/rpc.h), by the options that node operators know from Bitcoin Core:
// rpcuser, rpcpassword, rpcauth, rpccookiefile, rpcwhitelist, rpcwhitelistdefault and rpcallowip.
//
//   fanfare::BitcoinAccessOptions options;
//   for (const auto& [name, value] : configuration) options.set(name, value);
//   auto access = fanfare::BitcoinAccess::make(options);
//   if (!access) return fail(access.error());
//   fanfare::Rpc rpc({.authenticate = *access});
//
// Callers send user and password in the header Authorization (HTTP Basic, RFC 7617), with each request over HTTP and
// with the upgrade of a WebSocket. Without them, and with wrong ones, the answer is 401; from an address that is not
// allowed, 403. After ten failures an address gets one attempt per second, and 429 with Retry-After in between; each
// refusal is logged (access_denied), a few lines per minute and never with a secret.
//
// Passwords are kept as salted hashes and compared in constant time. An unknown user takes as long as a wrong password.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/error.h"
#include "fanfare/expected.h"
#include "fanfare/export.h"
#include "fanfare/http.h"
#include "fanfare/rpc.h"

namespace fanfare {

// Each value as it stands after "name=" in a configuration file.
struct FANFARE_EXPORT BitcoinAccessOptions {
  std::string rpcuser = {};      // without a colon
  std::string rpcpassword = {};  // both, or neither
  // "USER:SALT$HMAC", where HMAC is the HMAC-SHA256 of the password with the salt as its key, in hexadecimal.
  std::vector<std::string> rpcauth = {};
  // A file for programs of the same user of the system: "__cookie__:PASSWORD", mode 0600. It gets a fresh password in
  // make(), and is removed with the last copy of the BitcoinAccess. "": no file.
  std::string rpccookiefile = {};
  // "USER:METHOD,METHOD": the user may call these methods only. Of several for one user, the methods that all of them
  // name. "USER:" names none. `subscribe` is a method, too.
  std::vector<std::string> rpcwhitelist = {};
  // Whether users without a whitelist may call nothing, instead of everything. Empty: yes if there is any whitelist.
  std::optional<bool> rpcwhitelistdefault = {};
  // "192.0.2.7", "10.0.0.0/8", "10.0.0.0/255.0.0.0", "2001:db8::/32". Loopback and Unix sockets are always allowed.
  std::vector<std::string> rpcallowip = {};

  // Sets the option with this name. False: there is no such option, or the value is invalid: rpcwhitelistdefault is
  // "0" or "1", and make() checks all others.
  bool set(std::string_view name, std::string_view value);
};

// For RpcOptions::authenticate. Copies share their state. Any thread.
class FANFARE_EXPORT BitcoinAccess {
 public:
  // bad_option: an option is invalid, or no user can authenticate (there is no rpcpassword, rpcauth or rpccookiefile).
  // system: the cookie file could not be written. The message names the option, never its value.
  [[nodiscard]] static Expected<BitcoinAccess, Error> make(const BitcoinAccessOptions& options);

  Expected<RpcIdentity, Response> operator()(const Request& request) const;

 private:
  class State;
  explicit BitcoinAccess(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace fanfare
