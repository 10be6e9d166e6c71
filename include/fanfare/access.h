#pragma once
// Who may call a program's methods (fanfare/rpc.h). Access has roles, API keys, users, JSON Web Tokens and client
// certificates:
//
//   auto access = fanfare::Access::make({
//       .roles = {{.name = "reader", .methods = {"get*"}, .events = {"newblock"}},
//                 {.name = "operator", .methods = {"*"}, .events = {"*"}, .permissions = {"*"}}},
//       .keys = {{.name = "shop", .roles = {"reader"}, .key_file = "/run/secrets/shop"}},
//       .jwt = fanfare::AccessJwt{.jwks_file = "/etc/jwks.json", .issuer = "https://issuer.example", .audience = "node"},
//   });
//   if (!access) return fail(access.error());
//   fanfare::Rpc rpc({.authenticate = *access, .authenticate_message = *access});
//
// BitcoinAccess has the options that node operators know from Bitcoin Core: rpcuser, rpcpassword, rpcauth,
// rpccookiefile, rpcwhitelist, rpcwhitelistdefault and rpcallowip.
//
//   fanfare::BitcoinAccessOptions options;
//   for (const auto& [name, value] : configuration) options.set(name, value);
//   auto access = fanfare::BitcoinAccess::make(options);
//   if (!access) return fail(access.error());
//   fanfare::Rpc rpc({.authenticate = *access});
//
// Callers send their credentials with each request over HTTP and with the upgrade of a WebSocket: user and password in
// the header Authorization (HTTP Basic, RFC 7617), and for Access in the other forms of docs/access.md, too. Without
// them, and with wrong ones, the answer is 401; from an address that is not
// allowed, 403. After ten failures an address gets one attempt per second, and 429 with Retry-After in between; each
// refusal is logged (access_denied), a few lines per minute and never with a secret.
//
// Passwords are kept as salted hashes and compared in constant time. An unknown user takes as long as a wrong password.

#include <chrono>
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
  // No option of Bitcoin Core: what every user has of the permissions of RpcMethod and RpcEvent; "*": all.
  std::vector<std::string> permissions = {};

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

// What its holders may do. Nothing is granted that is not listed.
struct AccessRole {
  std::string name;  // letters, digits, '-', '_' and '.'; at most 64. It is logged, and labels metrics
  // Names, beginnings such as "get*", or "*" for all. A role with events may call subscribe and unsubscribe.
  std::vector<std::string> methods = {};
  std::vector<std::string> events = {};
  std::vector<std::string> permissions = {};  // of RpcMethod and RpcEvent; "*": all
  RpcLimits limits = {};  // of each identity whose first role this is; all zero: RpcOptions::per_identity
};

// An API key: in the header Authorization: Bearer KEY, in X-Api-Key, as ?apikey=KEY, in the path where the route has the
// parameter AccessOptions::path_parameter, or in a browser's subprotocol "fanfare.bearer.KEY". Exactly one of `key`,
// `key_file` and `key_hash` is set.
struct AccessKey {
  std::string name;
  std::vector<std::string> roles;
  std::string key = {};                     // at least 16 bytes of visible ASCII, chosen at random
  std::string key_file = {};                // a regular file with one line
  std::string key_hash = {};                // the SHA-256 of the key: 64 hexadecimal digits
  std::vector<std::string> addresses = {};  // where it may be used, as rpcallowip; empty: everywhere
  std::optional<std::chrono::system_clock::time_point> expires_at = {};
};

// Exactly one of `password`, `password_file` and `password_hash` is set.
struct AccessUser {
  std::string name;  // without a colon
  std::vector<std::string> roles;
  std::string password = {};
  std::string password_file = {};
  std::string password_hash = {};           // "SALT$HMAC", as after the colon of rpcauth
  std::vector<std::string> addresses = {};  // as in AccessKey
};

// A client certificate that TLS has verified (Tls::client_ca_file), of a caller without other credentials. Exactly one
// of `fingerprint` and `subject` is set.
struct AccessCertificate {
  std::string name;
  std::vector<std::string> roles;
  std::string fingerprint =
      {};                    // the SHA-256 of the certificate: 64 hexadecimal digits, with or without colons
  std::string subject = {};  // the whole subject: "CN=billing,O=Example" (RFC 4514)
  std::vector<std::string> addresses = {};
};

// JSON Web Tokens (RFC 7519), in any of the forms of an API key. At least one kind of key is set. A token needs "exp".
// Its identity is its "sub".
struct AccessJwt {
  std::string secret = {};       // HS256: at least 32 bytes
  std::string secret_file = {};  // likewise: a file with one line
  std::string public_key_file =
      {};                      // RS256 (2048 bits or more) or ES256 (P-256): a PEM public key or certificate
  std::string jwks_file = {};  // a JWK set with such keys (RFC 7517)
  std::string issuer = {};     // the required "iss"; "": any
  std::string audience = {};   // the required "aud"; "": any
  std::string roles_claim = "roles";                       // a list of roles, or one text with spaces
  std::vector<std::string> default_roles = {};             // of tokens without that claim
  std::chrono::seconds leeway = std::chrono::seconds(30);  // 0 to 300, for clocks that differ
  std::chrono::seconds lifetime_max = std::chrono::hours(24 * 366);  // a token that expires later is refused
};

struct AccessOptions {
  std::vector<AccessRole> roles;
  std::vector<AccessKey> keys = {};
  std::vector<AccessUser> users = {};
  std::vector<AccessCertificate> certificates = {};
  std::optional<AccessJwt> jwt = {};
  std::vector<std::string> anonymous_roles = {};  // of callers without credentials; empty: they are refused
  std::vector<std::string> addresses = {};        // of all callers; empty: every address
  // The parameter of the route that holds a key: rpc.serve(server, "/rpc/{key}").
  std::string path_parameter = "key";
  // A WebSocket without credentials may open, if it calls fanfare_authenticate within this time; otherwise it is closed
  // (1008). Zero: it may not. At most 5 minutes. Needs RpcOptions::authenticate_message.
  std::chrono::milliseconds first_message_within = {};
};

// For RpcOptions::authenticate, and for authenticate_message. Copies share their state. Any thread. Files are read in
// make() and reload().
class FANFARE_EXPORT Access {
 public:
  // bad_option: the message names the member that is wrong, and never shows a secret.
  [[nodiscard]] static Expected<Access, Error> make(const AccessOptions& options);

  Expected<RpcIdentity, Response> operator()(const Request& request) const;
  // Other roles, keys, users, certificates and tokens from now on, for all copies; every file is read again, so that
  // the same options are enough for files that have changed. An open WebSocket whose credentials are not valid any
  // more, or would give other roles or rights now, is closed (1008) within a second, and its calls are refused (-32001)
  // from now on. The others keep their identity with its limits. Errors: as make(); then nothing has changed. It reads
  // files, so call it on a thread that may wait.
  [[nodiscard]] Expected<void, Error> reload(const AccessOptions& options) const;

  // A key or token that came in a message.
  Expected<RpcIdentity, RpcDenial> operator()(std::string_view token, std::string_view peer) const;

 private:
  class Core;
  class State;
  explicit Access(std::shared_ptr<State> state) : state_(std::move(state)) {}
  static Expected<std::shared_ptr<const Core>, Error> make_core(const AccessOptions& options);

  std::shared_ptr<State> state_;
};

}  // namespace fanfare
