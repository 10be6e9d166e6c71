#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
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

// What one set of options grants. Immutable.
class Access::Core {
 public:
  Core(const AccessOptions& options, access::AccessPlan plan, Random& random)
      : path_parameter(options.path_parameter),
        first_message_within(options.first_message_within),
        challenges(challenges_of(options)),
        authenticator(std::move(plan), random) {
    for (const AccessRole& role : options.roles) {
      rights_[role.name] = {.permissions = role.permissions, .limits = role.limits};
    }
  }

  RpcIdentity identity_of(const access::Principal& principal) const {
    RpcIdentity identity{.name = principal.name,
                         .methods = {},
                         .events = {},
                         .role = std::string(principal.label()),
                         .is_shared = principal.is_shared(),
                         .is_anonymous = principal.origin.kind == access::CredentialOrigin::Kind::anonymous};
    for (const access::Role& role : principal.roles) {
      append(identity.methods, role.methods.allow);
      append(identity.events, role.topics.allow);
      const Rights& rights = rights_.at(role.name);
      append(identity.permissions, rights.permissions);
      if (&role == &principal.roles.front() && rights.limits != RpcLimits()) identity.limits = rights.limits;
    }
    if (principal.expires_at) {
      identity.expires_at = std::chrono::time_point_cast<SystemTime::duration>(*principal.expires_at);
    }
    return identity;
  }

  const std::string path_parameter;
  const std::chrono::milliseconds first_message_within;
  const std::vector<std::string_view> challenges;
  const access::Authenticator authenticator;

 private:
  struct Rights {
    std::vector<std::string> permissions;
    RpcLimits limits;
  };

  std::map<std::string, Rights> rights_;
};

class Access::State {
 public:
  explicit State(std::shared_ptr<const Core> core) : core_(std::move(core)) {}

  Expected<RpcIdentity, Response> identify(const Request& request) {
    const auto core = this->core();
    std::vector<HeaderField> fields;
    for (const HeaderView& header : request.headers()) fields.push_back({header.name, header.value});
    const auto credentials = access::find_credentials(
        {.headers = fields, .query = request.query(), .path_key = request.parameter(core->path_parameter)});
    const auto shown = request.client_certificate();
    std::optional<access::ClientCertificate> certificate;
    if (shown) {
      certificate.emplace(access::ClientCertificate{
          .fingerprint = access::digest_from_hex(shown->sha256).value_or(access::Digest{}),
          .subject = shown->subject,
          .valid_until = shown->valid_until});
    }
    const std::string peer = request.peer();
    const Asked asked{
        .peer = peer,
        .certificate = certificate ? &*certificate : nullptr,
        .is_websocket = http::equals_ignoring_case(request.header("Upgrade").value_or(""), "websocket"),
        .is_message = false};
    auto identity = authenticate(core, credentials, asked);
    if (!identity) return Unexpected(api::response_to(identity.error(), core->challenges));
    return *std::move(identity);
  }

  Expected<RpcIdentity, RpcDenial> identify(std::string_view token, std::string_view peer) {
    std::expected<access::Credentials, Denial> credentials = std::unexpected(Denial::malformed);
    if (!token.empty() && token.size() <= access::kSecretBytesMax) {
      credentials = access::Credentials::token(std::string(token));
    }
    auto identity =
        authenticate(core(), credentials,
                     {.peer = peer, .certificate = nullptr, .is_websocket = true, .is_message = true});
    if (identity) return *std::move(identity);
    const access::Refusal& refusal = identity.error();
    return Unexpected(RpcDenial{
        .message = std::string(access::text_of(refusal.denial)),
        .retry_after = std::chrono::ceil<std::chrono::milliseconds>(refusal.retry_after),
    });
  }

  void reload(std::shared_ptr<const Core> next) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(open_, [&](OpenCaller& one) { return !stays(one, *core_, *next); });
    core_ = std::move(next);
  }

 private:
  struct Asked {
    std::string_view peer;
    const access::ClientCertificate* certificate;
    bool is_websocket;
    bool is_message;
  };
  // The caller of an open WebSocket.
  struct OpenCaller {
    std::weak_ptr<std::atomic<bool>> withdrawn;  // gone with the connection
    access::PrincipalPtr principal;
    std::string peer;
  };

  std::shared_ptr<const Core> core() const {
    const std::scoped_lock lock(mutex_);
    return core_;
  }

  // Judges an open caller by the next plan. False: it is gone, or its credentials are withdrawn.
  static bool stays(OpenCaller& one, const Core& before, const Core& next) {
    const auto withdrawn = one.withdrawn.lock();
    if (withdrawn == nullptr) return false;
    const auto caller = next.authenticator.check_again(*one.principal, access::IpAddress::of_peer(one.peer));
    if (caller) {
      const RpcIdentity had = before.identity_of(*one.principal);
      const RpcIdentity has = next.identity_of(*caller->principal);
      if (had.name == has.name && had.role == has.role && had.methods == has.methods &&
          had.events == has.events && had.permissions == has.permissions) {
        one.principal = caller->principal;
        return true;
      }
    }
    withdrawn->store(true, std::memory_order_relaxed);
    return false;
  }

  std::expected<RpcIdentity, access::Refusal> authenticate(
      const std::shared_ptr<const Core>& core, const std::expected<access::Credentials, Denial>& credentials,
      const Asked& asked) {
    const auto address = access::IpAddress::of_peer(asked.peer);
    const Instant now = system_clock().now();
    const auto account = addresses_.find(access::payer_of(address), now);
    const auto caller = core->authenticator.authenticate(credentials, {.address = address,
                                                                       .account = *account,
                                                                       .now = now,
                                                                       .wall_now = system_clock().wall_now(),
                                                                       .certificate = asked.certificate});
    if (caller) {
      RpcIdentity identity = core->identity_of(*caller->principal);
      // Over HTTP, each request is authenticated.
      if (asked.is_websocket) identity.withdrawn = add_open(core, caller->principal, asked.peer);
      return identity;
    }
    const bool may_wait = asked.is_websocket && !asked.is_message &&
                          core->first_message_within > core->first_message_within.zero();
    if (may_wait && caller.error().denial == Denial::missing) {
      return RpcIdentity{.name = std::string(kWaiting),
                         .methods = {},
                         .events = {},
                         .role = std::string(kWaiting),
                         .is_shared = true,
                         .expires_at = std::chrono::system_clock::now() + core->first_message_within,
                         .awaits_credentials = true};
    }
    denied_.write({{"reason", access::name_of(caller.error().denial)}, {"peer", asked.peer}});
    return std::unexpected(caller.error());
  }

  std::shared_ptr<const std::atomic<bool>> add_open(const std::shared_ptr<const Core>& core,
                                                    const access::PrincipalPtr& principal,
                                                    std::string_view peer) {
    auto withdrawn = std::make_shared<std::atomic<bool>>(false);
    OpenCaller one{.withdrawn = withdrawn, .principal = principal, .peer = std::string(peer)};
    const std::scoped_lock lock(mutex_);
    // The plan may have changed since the caller was authenticated.
    if (core_ != core && !stays(one, *core, *core_)) return withdrawn;
    if (open_.size() >= forget_at_) {
      std::erase_if(open_, [](const OpenCaller& other) { return other.withdrawn.expired(); });
      forget_at_ = std::max(kForgetAtMin, 2 * open_.size());
    }
    open_.push_back(std::move(one));
    return withdrawn;
  }

  static constexpr std::size_t kForgetAtMin = 64;

  mutable std::mutex mutex_;  // guards the next three; taken per request and connection, not per call
  std::shared_ptr<const Core> core_;
  std::vector<OpenCaller> open_;
  std::size_t forget_at_ = kForgetAtMin;  // so many: those whose connection is gone are dropped
  access::AccountTable addresses_;        // for failed attempts
  LogLimiter denied_{log::Level::warn, "access_denied"};
};

Expected<std::shared_ptr<const Access::Core>, Error> Access::make_core(const AccessOptions& options) {
  auto plan = api::plan_from(options);
  if (!plan) {
    return Unexpected(Error{.kind = Error::Kind::bad_option, .message = std::move(plan.error())});
  }
  SystemRandom random;
  return std::make_shared<const Core>(options, *std::move(plan), random);
}

Expected<Access, Error> Access::make(const AccessOptions& options) {
  auto core = make_core(options);
  if (!core) return Unexpected(std::move(core.error()));
  return Access(std::make_shared<State>(*std::move(core)));
}

Expected<void, Error> Access::reload(const AccessOptions& options) const {
  auto core = make_core(options);
  if (!core) return Unexpected(std::move(core.error()));
  state_->reload(*std::move(core));
  return {};
}

Expected<RpcIdentity, Response> Access::operator()(const Request& request) const {
  return state_->identify(request);
}

Expected<RpcIdentity, RpcDenial> Access::operator()(std::string_view token, std::string_view peer) const {
  return state_->identify(token, peer);
}

}  // namespace fanfare
