#include "gateway/credential_term.h"

#include <algorithm>

#include "access/credentials.h"
#include "gateway/access_gate.h"
#include "ws/close_code.h"

namespace fanfare::gateway {

void CredentialTerm::start(net::Loop& loop, session::Session& session, const access::Principal& principal,
                           WallTime now) {
  stop(loop);
  if (!principal.expires_at) return;
  const Duration left = std::max<Duration>(*principal.expires_at - now, Duration::zero());
  const bool is_waiting = principal.name == kUnauthenticated;
  timer_ = loop.call_after(std::min(left, kDurationMax), [this, &session, is_waiting] {
    timer_ = {};
    const access::Denial why = is_waiting ? access::Denial::missing : access::Denial::expired;
    session.start_closing(ws::close_code::policy_violation, access::text_of(why));
  });
}

void CredentialTerm::stop(net::Loop& loop) {
  if (timer_ != net::TimerId{}) loop.cancel(timer_);
  timer_ = {};
}

}  // namespace fanfare::gateway
