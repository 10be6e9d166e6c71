#include "fanfare/access.h"

#include <map>
#include <utility>

#include "access/authenticator.h"
#include "access/bitcoin_options.h"
#include "access/credentials.h"
#include "access/password.h"
#include "access/quota.h"
#include "base/log_limiter.h"
#include "base/random.h"
#include "base/time.h"
#include "http/headers.h"
#include "jsonrpc/response.h"
#include "rpc/methods.h"

namespace fanfare {
namespace {

using access::Denial;

Error bad_option(std::string message) {
  return {.kind = Error::Kind::bad_option, .message = std::move(message)};
}

Response answer_to(const access::Refusal& refusal) {
  const bool is_blocked = refusal.denial == Denial::blocked;
  rpc::Refusal error{.code = rpc::kNotPermitted, .message = {}};
  if (is_blocked) error = rpc::limit_reached("failed attempts", refusal.retry_after);
  error.message = access::text_of(refusal.denial);
  Response response{.status = 401, .content_type = "application/json", .body = {}};
  jsonrpc::append_error(response.body, "null", error.code, error.message, error.data_json);
  if (is_blocked) {
    // RFC6585§4, RFC9110§10.2.3: whole seconds.
    const auto wait = std::chrono::ceil<std::chrono::seconds>(error.retry_after);
    response.status = 429;
    response.headers.push_back({"Retry-After", std::to_string(wait.count())});
  } else if (refusal.denial == Denial::address) {
    response.status = 403;
  } else {
    // RFC9110§11.6.1.
    response.headers.push_back({"WWW-Authenticate", R"(Basic realm="jsonrpc", charset="UTF-8")"});
  }
  return response;
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
  State(access::AccessPlan plan, std::optional<access::CookieFile> cookie, Random& random)
      : cookie_(std::move(cookie)), authenticator_(std::move(plan), random) {}

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
      return Unexpected(answer_to(caller.error()));
    }
    const access::Principal& principal = *caller->principal;
    RpcIdentity identity{.name = principal.name, .permissions = {"*"}, .methods = {}};
    for (const access::Role& role : principal.roles) {
      identity.methods.insert(identity.methods.end(), role.methods.allow.begin(), role.methods.allow.end());
    }
    return identity;
  }

 private:
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
  return BitcoinAccess(std::make_shared<State>(*std::move(plan), std::move(cookie), random));
}

Expected<RpcIdentity, Response> BitcoinAccess::operator()(const Request& request) const {
  return state_->identify(request);
}

}  // namespace fanfare
