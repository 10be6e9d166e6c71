#pragma once
// Ends a connection when its credentials do: a token's expiry, or the time for the first message. A fresh token
// prolongs it. Loop thread.

#include <string_view>

#include "access/principal.h"
#include "base/time.h"
#include "net/loop.h"

namespace fanfare::gateway {

// The connection that holds the credentials.
class CredentialHolder {
 public:
  // It must end now, with 1008 if it is a WebSocket. `reason`: at most 123 bytes, for people.
  virtual void on_credentials_ended(std::string_view reason) = 0;

 protected:
  ~CredentialHolder() = default;
};

class CredentialTerm {
 public:
  // Both must outlive it.
  CredentialTerm(net::Loop& loop, CredentialHolder& holder) : loop_(loop), holder_(holder) {}
  CredentialTerm(const CredentialTerm&) = delete;
  CredentialTerm& operator=(const CredentialTerm&) = delete;
  ~CredentialTerm() { stop(); }

  // on_credentials_ended() is called when the principal expires. Replaces an earlier end.
  void start(const access::Principal& principal, WallTime now);
  void stop();

 private:
  net::Loop& loop_;
  CredentialHolder& holder_;
  net::TimerId timer_;
};

}  // namespace fanfare::gateway
