#include "fanfare/access.h"

#include <array>
#include <map>
#include <utility>

#include "access/authenticator.h"
#include "access/bitcoin_options.h"
#include "access/credentials.h"
#include "access/password.h"
#include "access/quota.h"
#include "api/access_denial.h"
#include "base/log_limiter.h"
#include "base/random.h"
#include "base/time.h"
#include "http/headers.h"

namespace fanfare {
namespace {

using access::Denial;

constexpr std::array<std::string_view, 1> kChallenges{api::kBasicChallenge};

Error bad_option(std::string message) {
  return {.kind = Error::Kind::bad_option, .message = std::move(message)};
}

// The header Authorization, however often it is there: several that differ are malformed.
std::expected<access::Credentials, Denial> credentials_of(const Request& request) {
  std::vector<HeaderField> fields;
  for (const HeaderView& header : request.headers()) {
    if (http::equals_ignoring_case(header.name, "Authorization"))
      fields.push_back({header.name, header.value});
  }
  return access::find_credentials({.headers = fields});
}

}  // namespace

class BitcoinAccess::State {
 public:
  State(access::AccessPlan plan, std::optional<access::CookieFile> cookie,
        std::vector<std::string> permissions, Random& random)
      : permissions_(std::move(permissions)),
        cookie_(std::move(cookie)),
        authenticator_(std::move(plan), random) {}

  Expected<RpcIdentity, Response> identify(const Request& request) {
    const std::string peer = request.peer();
    const auto address = access::IpAddress::of_peer(peer);
    const Instant now = system_clock().now();
    const auto account = addresses_.find(access::payer_of(address), now);
    const auto caller = authenticator_.authenticate(
        credentials_of(request),
        {.address = address, .account = *account, .now = now, .wall_now = system_clock().wall_now()});
    if (!caller) {
      denied_.write({{"reason", access::name_of(caller.error().denial)}, {"peer", peer}});
      return Unexpected(api::response_to(caller.error(), kChallenges));
    }
    const access::Principal& principal = *caller->principal;
    RpcIdentity identity{.name = principal.name, .permissions = permissions_, .methods = {}};
    for (const access::Role& role : principal.roles) {
      identity.methods.insert(identity.methods.end(), role.methods.allow.begin(), role.methods.allow.end());
    }
    return identity;
  }

 private:
  const std::vector<std::string> permissions_;
  const std::optional<access::CookieFile> cookie_;
  const access::Authenticator authenticator_;
  access::AccountTable addresses_;
  LogLimiter denied_{log::Level::warn, "access_denied"};
};

bool BitcoinAccessOptions::set(std::string_view name, std::string_view value) {
  const std::map<std::string_view, std::string*> texts{
      {"rpcuser", &rpcuser}, {"rpcpassword", &rpcpassword}, {"rpccookiefile", &rpccookiefile}};
  const std::map<std::string_view, std::vector<std::string>*> lists{
      {"rpcauth", &rpcauth}, {"rpcwhitelist", &rpcwhitelist}, {"rpcallowip", &rpcallowip}};
  if (const auto text = texts.find(name); text != texts.end()) {
    *text->second = value;
    return true;
  }
  if (const auto list = lists.find(name); list != lists.end()) {
    list->second->emplace_back(value);
    return true;
  }
  if (name != "rpcwhitelistdefault" || (value != "0" && value != "1")) return false;
  rpcwhitelistdefault = value == "1";
  return true;
}

Expected<BitcoinAccess, Error> BitcoinAccess::make(const BitcoinAccessOptions& options) {
  SystemRandom random;
  if (options.rpcpassword.empty() && options.rpcauth.empty() && options.rpccookiefile.empty()) {
    return Unexpected(
        bad_option("nobody can authenticate: there is no rpcpassword, rpcauth or rpccookiefile"));
  }
  access::BitcoinOptions plain{.rpcuser = options.rpcuser,
                               .rpcpassword = options.rpcpassword,
                               .rpcauth = options.rpcauth,
                               .rpcwhitelist = options.rpcwhitelist,
                               .rpcwhitelistdefault = options.rpcwhitelistdefault,
                               .rpcallowip = options.rpcallowip};
  // Before the file is written: it must not replace another program's if an option is invalid.
  if (const auto plan = access::plan_from(plain, random); !plan) return Unexpected(bad_option(plan.error()));
  std::optional<access::CookieFile> cookie;
  if (!options.rpccookiefile.empty()) {
    auto created = access::CookieFile::create(options.rpccookiefile, random);
    if (!created) {
      return Unexpected(Error{.kind = Error::Kind::system, .message = "rpccookiefile: " + created.error()});
    }
    plain.cookie = created->hash();
    cookie.emplace(*std::move(created));
  }
  auto plan = access::plan_from(plain, random);
  if (!plan) return Unexpected(bad_option(plan.error()));
  return BitcoinAccess(
      std::make_shared<State>(*std::move(plan), std::move(cookie), options.permissions, random));
}

Expected<RpcIdentity, Response> BitcoinAccess::operator()(const Request& request) const {
  return state_->identify(request);
}

}  // namespace fanfare
