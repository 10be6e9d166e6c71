#pragma once
// Happy Eyeballs (RFC 8305): starts connections to a host's addresses at staggered times, and keeps the first
// one that is established. One race is one attempt of a client; it runs on the loop's thread.
//
//   ::1 ----------------------------------- (no answer)              closed
//        250 ms  127.0.0.1 ---- connected                            won
//
// An address that refuses starts the next one immediately. TLS and the handshake follow after the race.

#include <cstddef>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "base/time.h"
#include "fanfare/unique_function.h"
#include "net/loop.h"
#include "net/socket.h"
#include "session/client_error.h"
#include "session/dial_attempt.h"

namespace fanfare::session {

// RFC8305§5: the time between attempts. Less if the total time is too short for all addresses.
inline constexpr Duration kConnectionAttemptDelay = std::chrono::milliseconds(250);
// RFC8305§5: never less than this.
inline constexpr Duration kConnectionAttemptDelayMin = std::chrono::milliseconds(10);

// RFC8305§4: the system's order, but alternating between families, beginning with that of the first address.
std::vector<net::Address> interleaved(const std::vector<net::Address>& addresses);

class DialRace {
 public:
  // Begins to connect to an address with this timeout.
  using Dial =
      std::function<std::expected<DialAttempt*, ClientError>(const net::Address& address, Duration timeout)>;
  // No address can win any more, or the winner failed before the loop reported it. The text lists every
  // address that was tried. The callback may destroy the race.
  using Lost = UniqueFunction<void(const ClientError&)>;

  // Needs at least one address. The loop must outlive the race.
  DialRace(net::Loop& loop, const std::vector<net::Address>& addresses, Instant deadline, Dial dial,
           Lost lost);
  DialRace(const DialRace&) = delete;
  DialRace& operator=(const DialRace&) = delete;
  // Closes the connections that are still being established.
  ~DialRace();

  void start() { start_next(); }
  // A dial's TCP connection is established. True: it has won, the race no longer owns it, and the others
  // are closed. False: it is not needed.
  bool connected(const DialAttempt& dial);
  // False: the dial does not belong to the race. It has failed and is destroyed after the call; the call
  // may lose the race.
  bool failed(const DialAttempt& dial, const ClientError& error);
  // "connect [::1]:80: Connection refused; ": the addresses that have failed so far.
  const std::string& failures() const { return failures_; }

 private:
  void start_next();
  void start_next_at(Instant when);
  void note(const ClientError& error);
  void lose(ClientError error);
  void finish();

  net::Loop& loop_;
  const std::vector<net::Address> addresses_;
  const Instant deadline_;
  const Duration delay_;
  const Dial dial_;
  Lost lost_;
  std::size_t next_ = 0;
  std::vector<DialAttempt*> running_;
  bool dialling_ = false;  // one that connects immediately is not in running_ yet
  bool over_ = false;      // won or lost
  std::string failures_;
  ClientError last_error_;
  net::TimerId timer_{};
};

}  // namespace fanfare::session
