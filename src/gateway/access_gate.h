#pragma once
// The gateway's access control: authenticates each request before its mount is called, and counts what callers of each
// role do. One per process, used by all loops.

#include <atomic>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/authenticator.h"
#include "access/credentials.h"
#include "access/quota.h"
#include "base/log_limiter.h"
#include "base/time.h"
#include "gateway/metrics_values.h"
#include "server/admission.h"

namespace fanfare::gateway {

// Why a call of an authenticated caller was not executed.
enum class AccessRefusal : std::uint8_t {
  permission,  // no role grants it
  limit,       // a quota is used up
  expired,     // its credentials are not valid any more
  count_,
};

// The cells of the callers whose first role has this name.
struct RoleCells {
  explicit RoleCells(std::string name) : role(std::move(name)) {}
  const std::string role;
  Counter calls;
  PerEach<AccessRefusal> refused;
};

// The name of the principal of a connection that has not authenticated yet.
inline constexpr std::string_view kUnauthenticated = "unauthenticated";
// The method by which a connection authenticates, or hands in a fresh token.
inline constexpr std::string_view kAuthenticateMethod = "fanfare_authenticate";

struct AccessPolicy {
  std::shared_ptr<const access::AccessPlan> plan;
  // A WebSocket may open without credentials, if it authenticates within this time. Zero: it may not.
  Duration first_message_within = Duration::zero();
};

// What a mount gets.
class AdmittedCaller final : public server::Admitted {
 public:
  AdmittedCaller(access::PrincipalPtr who, std::shared_ptr<access::Payer> who_pays)
      : principal(std::move(who)), payer(std::move(who_pays)) {}

  const access::PrincipalPtr principal;
  const std::shared_ptr<access::Payer> payer;
};

class AccessGate final : public server::Admission {
 public:
  // `clock` must outlive the gate.
  explicit AccessGate(AccessPolicy policy, Clock& clock = system_clock());

  std::expected<std::shared_ptr<server::Admitted>, session::HttpResponse> admit(
      const session::HttpConnection& session, const http::Request& request,
      const server::PathPattern::Match& match, bool is_upgrade) override;

  // Fresh credentials for an open connection of `before`. It must be the same identity with the same roles, so that
  // what the connection has subscribed to stays granted; a connection that has not authenticated yet may become anyone.
  // The payer is replaced if the identity changes.
  std::expected<access::PrincipalPtr, access::Refusal> renew(std::string_view token, std::string_view peer,
                                                             const access::Principal& before,
                                                             access::Payer& payer);

  const access::Costs& costs() const { return costs_; }
  Clock& clock() const { return clock_; }
  RoleCells& cells(const access::Principal& principal);
  // For metrics. The list never changes.
  const std::vector<std::unique_ptr<RoleCells>>& roles() const { return cells_; }
  const PerEach<access::Denial>& denials() const { return denials_; }

 private:
  struct Peer {
    std::optional<access::IpAddress> address;
    std::shared_ptr<access::Account> account;
  };
  Peer peer_of(std::string_view text);
  void note(const access::Refusal& refusal, std::string_view peer);
  session::HttpResponse answer_to(const access::Refusal& refusal, bool is_foreign) const;
  access::Payer payer_for(const access::Caller& caller, const Peer& peer);

  const AccessPolicy policy_;
  Clock& clock_;
  const access::Authenticator authenticator_;
  const access::Costs costs_;
  access::AccountTable identities_;
  access::AccountTable addresses_;
  std::vector<std::unique_ptr<RoleCells>> cells_;
  std::map<std::string_view, RoleCells*> cells_of_;
  PerEach<access::Denial> denials_;
  LogLimiter denied_{log::Level::warn, "access_denied"};
};

}  // namespace fanfare::gateway
