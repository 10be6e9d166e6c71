#pragma once
// The access control of a running gateway: made from its plan, and made again when the plan's keys and roles change.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "access/password.h"
#include "gateway/access_gate.h"
#include "gateway/serve_plan.h"

namespace fanfare::gateway {

class GatewayAccess {
 public:
  // Writes the cookie file, if the plan has one: at once, or only in publish_cookie(), because the clients of another process
  // still use that one's. The error is for the operator.
  enum class Cookie : std::uint8_t { now, later };
  std::expected<void, std::string> start(const ServePlan& plan, Cookie when = Cookie::now);
  void publish_cookie();
  // Writes the cookie file again if it is gone: another process took it over, and has ended.
  void keep_cookie();
  // Writes the cookie file again if another process has written one since, and has ended without removing it.
  void take_back_cookie();
  // Removes the cookie file.
  void stop() { cookie_.reset(); }

  // Null: no access control.
  AccessGate* gate() const { return gate_.get(); }

  // The cookie file of another plan: with a fresh password, and not written yet. Empty: the plan has the same file. Without
  // set_cookie() nothing has changed. The error is for the operator.
  struct NewCookie {
    std::string file;
    std::optional<access::CookieFile> cookie;  // empty: the plan has none now
  };
  std::expected<std::optional<NewCookie>, std::string> prepare_cookie(const ServePlan& plan) const;
  // Removes the earlier file. Then replace() and publish_cookie().
  void set_cookie(NewCookie cookie);

  // Applies the plan's keys, users, tokens, roles and limits. Everything else of the plan, also its cookie file, is ignored. What is
  // returned must be kept as AccessGate::replace() says. The error: what cannot be changed without a restart; then nothing has changed.
  std::expected<std::shared_ptr<const void>, std::string> replace(const ServePlan& plan);

 private:
  AccessPolicy policy_of(const ServePlan& plan) const;

  std::optional<access::CookieFile> cookie_;
  std::string cookie_file_;
  std::unique_ptr<AccessGate> gate_;
};

}  // namespace fanfare::gateway
