#include "gateway/gateway_access.h"

#include <utility>

#include "base/log.h"
#include "base/random.h"

namespace fanfare::gateway {

AccessPolicy GatewayAccess::policy_of(const ServePlan& plan) const {
  auto access = std::make_shared<access::AccessPlan>(*plan.access);
  if (cookie_) access->users.push_back({.password = cookie_->hash(), .roles = plan.cookie_roles});
  return {.plan = std::move(access), .first_message_within = plan.first_message_within};
}

std::expected<void, std::string> GatewayAccess::start(const ServePlan& plan, Cookie when) {
  if (plan.access == nullptr) return {};
  cookie_file_ = plan.cookie_file;
  if (!cookie_file_.empty()) {
    SystemRandom random;
    auto cookie = when == Cookie::now ? access::CookieFile::create(cookie_file_, random)
                                      : access::CookieFile::prepare(cookie_file_, random);
    if (!cookie) return std::unexpected("cannot write the cookie file " + cookie.error());
    cookie_.emplace(*std::move(cookie));
    if (when == Cookie::now && cookie_->was_in_use()) {
      log::warn("cookie_file_taken_over", {{"file", cookie_file_}, {"from", "a process that still runs"}});
    }
  }
  gate_ = std::make_unique<AccessGate>(policy_of(plan));
  return {};
}

std::expected<std::optional<GatewayAccess::NewCookie>, std::string> GatewayAccess::prepare_cookie(
    const ServePlan& plan) const {
  if (gate_ == nullptr || plan.cookie_file == cookie_file_) return std::nullopt;
  NewCookie made{.file = plan.cookie_file, .cookie = {}};
  if (made.file.empty()) return made;
  SystemRandom random;
  auto cookie = access::CookieFile::prepare(made.file, random);
  if (!cookie) return std::unexpected("cannot write the cookie file " + cookie.error());
  made.cookie.emplace(*std::move(cookie));
  return made;
}

void GatewayAccess::set_cookie(NewCookie cookie) {
  cookie_file_ = std::move(cookie.file);
  cookie_.reset();
  if (cookie.cookie) cookie_.emplace(*std::move(cookie.cookie));
}

void GatewayAccess::publish_cookie() {
  if (!cookie_) return;
  const auto published = cookie_->publish();
  if (!published) log::error("cookie_file_not_written", {{"error", published.error()}});
}

void GatewayAccess::keep_cookie() {
  if (cookie_ && cookie_->restore_if_gone()) log::warn("cookie_file_restored", {{"file", cookie_file_}});
}

void GatewayAccess::take_back_cookie() {
  if (cookie_ && cookie_->take_back()) log::warn("cookie_file_restored", {{"file", cookie_file_}});
}

std::expected<std::shared_ptr<const void>, std::string> GatewayAccess::replace(const ServePlan& plan) {
  if ((gate_ == nullptr) != (plan.access == nullptr)) {
    return std::unexpected("access control cannot be turned on or off without a restart");
  }
  if (gate_ == nullptr) return nullptr;
  return gate_->replace(policy_of(plan));
}

}  // namespace fanfare::gateway
