#include "gateway/credential_term.h"

#include <algorithm>
#include <utility>

#include "access/credentials.h"
#include "gateway/access_gate.h"

namespace fanfare::gateway {

void CredentialTerms::check_again(const AccessGate& gate) {
  ++reloads_;
  gate_ = &gate;
  if (!is_checking_) check_some(gate);
}

void CredentialTerms::check_some(const AccessGate& gate) {
  is_checking_ = false;
  for (std::size_t i = 0; i < kChecksPerTurn; ++i) {
    if (terms_.empty() || terms_.front()->checked_at_ == reloads_) return;
    CredentialTerm& term = *terms_.front();
    term.checked_at_ = reloads_;
    terms_.splice(terms_.end(), terms_, terms_.begin());
    term.check(gate);
  }
  is_checking_ = true;
  loop_.post([self = self_, &gate] {
    if (*self != nullptr) (*self)->check_some(gate);
  });
}

void CredentialTerm::start(WallTime now) {
  plan_end(now);
  if (std::exchange(checked_at_, terms_.reloads_) == terms_.reloads_) return;
  terms_.terms_.splice(terms_.terms_.end(), terms_.terms_,
                       at_);  // those that wait for their check stand before it
  check(*terms_.gate_);
}

void CredentialTerm::plan_end(WallTime now) {
  stop_timer();
  if (!is_listed_) {
    at_ = terms_.terms_.insert(terms_.terms_.end(), this);
    is_listed_ = true;
  }
  const access::Principal& principal = holder_.principal();
  if (!principal.expires_at) return;
  const Duration left = std::max<Duration>(*principal.expires_at - now, Duration::zero());
  const bool is_waiting = principal.name == kUnauthenticated;
  timer_ = terms_.loop_.call_after(std::min(left, kDurationMax), [this, is_waiting] {
    timer_ = {};
    holder_.on_credentials_ended(
        access::text_of(is_waiting ? access::Denial::missing : access::Denial::expired));
  });
}

void CredentialTerm::check(const AccessGate& gate) {
  const access::Principal& before = holder_.principal();
  if (before.name == kUnauthenticated) return;  // it has no credentials yet
  const auto now = gate.check_again(before, holder_.peer_address());
  if (now) return holder_.on_reloaded(*now);
  holder_.on_credentials_ended(now.error() == access::Denial::address ? access::text_of(now.error())
                                                                      : kRevoked);
}

void CredentialTerm::stop_timer() {
  if (timer_ != net::TimerId{}) terms_.loop_.cancel(timer_);
  timer_ = {};
}

void CredentialTerm::stop() {
  stop_timer();
  if (std::exchange(is_listed_, false)) terms_.terms_.erase(at_);
}

}  // namespace fanfare::gateway
