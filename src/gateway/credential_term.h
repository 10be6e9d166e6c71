#pragma once
// Ends a connection when its credentials do: a token's expiry, or the time for the first message. A fresh token
// prolongs it. Loop thread.

#include "access/principal.h"
#include "base/time.h"
#include "net/loop.h"
#include "session/session.h"

namespace fanfare::gateway {

class CredentialTerm {
 public:
  CredentialTerm() = default;
  CredentialTerm(const CredentialTerm&) = delete;
  CredentialTerm& operator=(const CredentialTerm&) = delete;

  // Closes the session with 1008 when the principal expires. Replaces an earlier end. Call stop() before the session is
  // gone.
  void start(net::Loop& loop, session::Session& session, const access::Principal& principal, WallTime now);
  void stop(net::Loop& loop);

 private:
  net::TimerId timer_;
};

}  // namespace fanfare::gateway
