#include "gateway/credential_term.h"

#include <algorithm>

#include "access/credentials.h"
#include "gateway/access_gate.h"

namespace fanfare::gateway {

void CredentialTerm::start(const access::Principal& principal, WallTime now) {
  stop();
  if (!principal.expires_at) return;
  const Duration left = std::max<Duration>(*principal.expires_at - now, Duration::zero());
  const bool is_waiting = principal.name == kUnauthenticated;
  timer_ = loop_.call_after(std::min(left, kDurationMax), [this, is_waiting] {
    timer_ = {};
    holder_.on_credentials_ended(
        access::text_of(is_waiting ? access::Denial::missing : access::Denial::expired));
  });
}

void CredentialTerm::stop() {
  if (timer_ != net::TimerId{}) loop_.cancel(timer_);
  timer_ = {};
}

}  // namespace fanfare::gateway
