#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "access/authenticator.h"
#include "access/credentials.h"
#include "access/quota.h"
#include "api/access_denial.h"
#include "api/access_plan.h"
#include "base/log_limiter.h"
#include "base/random.h"
#include "base/time.h"
#include "fanfare/access.h"
#include "http/headers.h"

namespace fanfare {
namespace {

using access::Denial;
using SystemTime = std::chrono::system_clock::time_point;

constexpr std::string_view kWaiting = "unauthenticated";

// For a browser's password dialog, Basic is offered only if there are users.
std::vector<std::string_view> challenges_of(const AccessOptions& options) {
  std::vector<std::string_view> challenges{api::kBearerChallenge};
  if (!options.users.empty()) challenges.push_back(api::kBasicChallenge);
  return challenges;
}

void append(std::vector<std::string>& to, const std::vector<std::string>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

class Access::State {
 public:
  State(const AccessOptions& options, access::AccessPlan plan, Random& random)
      : path_parameter_(options.path_parameter),
        first_message_within_(options.first_message_within),
        challenges_(challenges_of(options)),
        authenticator_(std::move(plan), random) {
    for (const AccessRole& role : options.roles) {
      roles_[role.name] = {.permissions = role.permissions, .limits = role.limits};
    }
  }

  Expected<RpcIdentity, Response> identify(const Request& request) {
    std::vector<HeaderField> fields;
    for (const HeaderView& header : request.headers()) fields.push_back({header.name, header.value});
    const auto credentials = access::find_credentials(
        {.headers = fields, .query = request.query(), .path_key = request.parameter(path_parameter_)});
    const auto shown = request.client_certificate();
    std::optional<access::ClientCertificate> certificate;
    if (shown) {
      certificate.emplace(access::ClientCertificate{
          .fingerprint = access::digest_from_hex(shown->sha256).value_or(access::Digest{}),
          .subject = shown->subject,
          .valid_until = shown->valid_until});
    }
    auto identity =
        authenticate(credentials, request.peer(), certificate ? &*certificate : nullptr, may_wait(request));
    if (!identity) return Unexpected(api::response_to(identity.error(), challenges_));
    return *std::move(identity);
  }

  Expected<RpcIdentity, RpcDenial> identify(std::string_view token, std::string_view peer) {
    std::expected<access::Credentials, Denial> credentials = std::unexpected(Denial::malformed);
    if (!token.empty() && token.size() <= access::kSecretBytesMax) {
      credentials = access::Credentials::token(std::string(token));
    }
    auto identity = authenticate(credentials, peer, nullptr, false);
    if (identity) return *std::move(identity);
    const access::Refusal& refusal = identity.error();
    return Unexpected(RpcDenial{
        .message = std::string(access::text_of(refusal.denial)),
        .retry_after = std::chrono::ceil<std::chrono::milliseconds>(refusal.retry_after),
    });
  }

 private:
  struct Rights {
    std::vector<std::string> permissions;
    RpcLimits limits;
  };

  // Whether the caller may send its credentials in its first message.
  bool may_wait(const Request& request) const {
    return first_message_within_ > first_message_within_.zero() &&
           http::equals_ignoring_case(request.header("Upgrade").value_or(""), "websocket");
  }

  std::expected<RpcIdentity, access::Refusal> authenticate(
      const std::expected<access::Credentials, Denial>& credentials, std::string_view peer,
      const access::ClientCertificate* certificate, bool may_wait) {
    const auto address = access::IpAddress::of_peer(peer);
    const Instant now = system_clock().now();
    const auto account = addresses_.find(access::payer_of(address), now);
    const auto caller = authenticator_.authenticate(credentials, {.address = address,
                                                                  .account = *account,
                                                                  .now = now,
                                                                  .wall_now = system_clock().wall_now(),
                                                                  .certificate = certificate});
    if (caller) return identity_of(*caller->principal);
    if (may_wait && caller.error().denial == Denial::missing) {
      return RpcIdentity{.name = std::string(kWaiting),
                         .methods = {},
                         .events = {},
                         .role = std::string(kWaiting),
                         .is_shared = true,
                         .expires_at = std::chrono::system_clock::now() + first_message_within_,
                         .awaits_credentials = true};
    }
    denied_.write({{"reason", access::name_of(caller.error().denial)}, {"peer", peer}});
    return std::unexpected(caller.error());
  }

  RpcIdentity identity_of(const access::Principal& principal) const {
    RpcIdentity identity{.name = principal.name,
                         .methods = {},
                         .events = {},
                         .role = std::string(principal.label()),
                         .is_shared = principal.is_shared()};
    for (const access::Role& role : principal.roles) {
      append(identity.methods, role.methods.allow);
      append(identity.events, role.topics.allow);
      const Rights& rights = roles_.at(role.name);
      append(identity.permissions, rights.permissions);
      if (&role == &principal.roles.front() && rights.limits != RpcLimits()) identity.limits = rights.limits;
    }
    if (principal.expires_at) {
      identity.expires_at = std::chrono::time_point_cast<SystemTime::duration>(*principal.expires_at);
    }
    return identity;
  }

  const std::string path_parameter_;
  const std::chrono::milliseconds first_message_within_;
  const std::vector<std::string_view> challenges_;
  const access::Authenticator authenticator_;
  std::map<std::string, Rights> roles_;
  access::AccountTable addresses_;  // for failed attempts
  LogLimiter denied_{log::Level::warn, "access_denied"};
};

Expected<Access, Error> Access::make(const AccessOptions& options) {
  auto plan = api::plan_from(options);
  if (!plan) {
    return Unexpected(Error{.kind = Error::Kind::bad_option, .message = std::move(plan.error())});
  }
  SystemRandom random;
  return Access(std::make_shared<State>(options, *std::move(plan), random));
}

Expected<RpcIdentity, Response> Access::operator()(const Request& request) const {
  return state_->identify(request);
}

Expected<RpcIdentity, RpcDenial> Access::operator()(std::string_view token, std::string_view peer) const {
  return state_->identify(token, peer);
}

}  // namespace fanfare
