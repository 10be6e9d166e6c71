#pragma once
// The gateway's access control: authenticates each request before its mount is called, and counts what callers of each
// role do. One per process, used by all loops. Its policy can be replaced while they run.

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
#include "rpc/methods.h"
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

class AccessGate final : public server::Admission {
 public:
  // `clock` must outlive the gate.
  explicit AccessGate(AccessPolicy policy, Clock& clock = system_clock());

  // From now on this policy applies to new requests and connections; then call check_again() for the open ones. Loops may
  // still use the policy before: keep what is returned until each of them has begun a new task. One thread at a time.
  [[nodiscard]] std::shared_ptr<const void> replace(AccessPolicy policy);
  // What the credentials of an open connection give now. The error: nothing any more.
  std::expected<access::Caller, access::Denial> check_again(const access::Principal& before,
                                                            std::string_view peer) const;
  // The payer's limits are those of the caller from now on.
  void set_limits(access::Payer& payer, const access::Caller& caller) const;

  std::expected<std::shared_ptr<server::Admitted>, session::HttpResponse> admit(
      const session::HttpConnection& session, const http::Request& request,
      const server::PathPattern::Match& match, bool is_upgrade) override;

  // Fresh credentials for an open connection of `before`. It must be the same identity with the same roles, so that
  // what the connection has subscribed to stays granted; a connection that has not authenticated yet may become anyone.
  // Another identity then pays for the connection and what it has subscribed to.
  std::expected<access::PrincipalPtr, rpc::Refusal> renew(std::string_view token, std::string_view peer,
                                                          const access::Principal& before,
                                                          access::Payer& payer);
  // A WebSocket was opened without credentials, and sent none in time.
  void note_silence(std::string_view peer);

  // References are valid within the loop's task.
  const access::Costs& costs() const { return rules().costs; }
  Clock& clock() const { return clock_; }
  RoleCells& cells(const access::Principal& principal);
  // For metrics. A role that is gone stays in the list.
  const std::vector<std::shared_ptr<RoleCells>>& roles() const { return rules().cells; }
  const PerEach<access::Denial>& denials() const { return denials_; }

 private:
  // Immutable, except for the counters.
  struct Rules {
    // `before`: null for the first ones; else its counters go on.
    Rules(AccessPolicy its_policy, const Rules* before);
    void add_cells(std::shared_ptr<RoleCells> one);

    const AccessPolicy policy;
    const access::Authenticator authenticator;
    const access::Costs costs;
    std::vector<std::shared_ptr<RoleCells>> cells;
    std::map<std::string_view, RoleCells*> cells_of;
  };
  struct Peer {
    std::optional<access::IpAddress> address;
    std::shared_ptr<access::Account> account;
  };
  Peer peer_of(std::string_view text);
  void note(const access::Refusal& refusal, std::string_view peer);
  access::Payer::Share account_for(const access::Caller& caller, const Peer& peer);
  access::Payer payer_for(const Rules& rules, const access::Caller& caller, const Peer& peer);
  const Rules& rules() const { return *rules_.load(std::memory_order_acquire); }

  Clock& clock_;
  std::shared_ptr<const Rules> owned_;  // of the thread that replaces them
  std::atomic<const Rules*> rules_;
  access::AccountTable identities_;
  access::AccountTable addresses_;
  PerEach<access::Denial> denials_;
  LogLimiter denied_{log::Level::warn, "access_denied"};
};

}  // namespace fanfare::gateway
