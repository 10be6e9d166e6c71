#pragma once
// Ends a connection when its credentials do: at a token's expiry, at the end of the time for the first message, or when a
// reload of the policy has removed them. A fresh token prolongs it. Loop thread.

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "access/authenticator.h"
#include "base/time.h"
#include "net/loop.h"

namespace fanfare::gateway {

class AccessGate;
class CredentialTerm;

// The connection that holds the credentials.
class CredentialHolder {
 public:
  // It must end, with 1008 if it is a WebSocket. `reason`: at most 123 bytes, for people.
  virtual void on_credentials_ended(std::string_view reason) = 0;
  // What they give since a reload. They are still valid.
  virtual void on_reloaded(const access::Caller& now) = 0;
  virtual const access::Principal& principal() const = 0;
  virtual std::string peer_address() const = 0;

 protected:
  ~CredentialHolder() = default;
};

// What a client is told whose roles grant something else than when it subscribed.
inline constexpr std::string_view kRolesChanged =
    "the roles of these credentials have changed: connect again";
inline constexpr std::string_view kRevoked = "these credentials are not valid any more";

// The terms of one loop.
class CredentialTerms {
 public:
  // Connections that are checked in one turn of the loop: less than a millisecond.
  static constexpr std::size_t kChecksPerTurn = 500;

  // The loop must outlive it.
  explicit CredentialTerms(net::Loop& loop) : loop_(loop) {}
  CredentialTerms(const CredentialTerms&) = delete;
  CredentialTerms& operator=(const CredentialTerms&) = delete;
  ~CredentialTerms() { *self_ = nullptr; }

  // The gate has another policy: checks every connection, some in each turn. The gate must outlive it.
  void check_again(const AccessGate& gate);

 private:
  friend class CredentialTerm;

  void check_some(const AccessGate& gate);

  net::Loop& loop_;
  std::list<CredentialTerm*> terms_;  // those that were not checked since the last reload come first
  std::uint64_t reloads_ = 0;
  bool is_checking_ = false;          // the next turn goes on
  const AccessGate* gate_ = nullptr;  // since the first reload
  // What posted tasks reach this through.
  const std::shared_ptr<CredentialTerms*> self_ = std::make_shared<CredentialTerms*>(this);
};

class CredentialTerm {
 public:
  // Make it in the task that authenticated the holder: a reload between that and start() is then noticed. Both must outlive
  // it.
  CredentialTerm(CredentialTerms& terms, CredentialHolder& holder)
      : terms_(terms), holder_(holder), checked_at_(terms.reloads_) {}
  CredentialTerm(const CredentialTerm&) = delete;
  CredentialTerm& operator=(const CredentialTerm&) = delete;
  ~CredentialTerm() { stop(); }

  // on_credentials_ended() is called when the holder's principal expires, or at once if a reload has removed it meanwhile.
  // Replaces an earlier end.
  void start(WallTime now);
  // Nothing is called any more.
  void stop();

 private:
  friend class CredentialTerms;

  void check(const AccessGate& gate);
  void plan_end(WallTime now);
  void stop_timer();

  CredentialTerms& terms_;
  CredentialHolder& holder_;
  std::uint64_t checked_at_;  // the number of reloads then
  net::TimerId timer_;
  bool is_listed_ = false;
  std::list<CredentialTerm*>::iterator at_;  // if it is listed
};

}  // namespace fanfare::gateway
