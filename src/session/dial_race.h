#pragma once
// Happy Eyeballs (RFC 8305): connects to the addresses of a host at staggered times, and keeps the connection
// that stands first. One race is one attempt of a client; it runs on the loop's thread.
//
//   ::1 ----------------------------------- (no answer)              closed
//        250 ms  127.0.0.1 ---- connected                            won
//
// An address that refuses makes the next one start at once. TLS and the handshake come after the race.

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
#include "session/client_session.h"

namespace fanfare::session {

// RFC8305§5: the time from one attempt to the next. Less where the time is too short for all addresses.
inline constexpr Duration kConnectionAttemptDelay = std::chrono::milliseconds(250);
// RFC8305§5: never less than this.
inline constexpr Duration kConnectionAttemptDelayMin = std::chrono::milliseconds(10);

// RFC8305§4: the order of the system, but the two families take turns, beginning with the first address's.
std::vector<net::Address> interleaved(const std::vector<net::Address>& addresses);

class DialRace {
 public:
  // Begins to connect to an address, with so much time for it.
  using Dial = std::function<std::expected<ClientSession*, ClientError>(const net::Address& address,
                                                                        Duration timeout)>;
  // Nobody can win any more, or the winner failed before the loop knew it; the text lists every address that
  // was tried. May destroy the race.
  using Lost = UniqueFunction<void(const ClientError&)>;

  // At least one address. The loop outlives the race.
  DialRace(net::Loop& loop, const std::vector<net::Address>& addresses, Instant deadline, Dial dial,
           Lost lost);
  DialRace(const DialRace&) = delete;
  DialRace& operator=(const DialRace&) = delete;
  // Closes the connections that are still being made.
  ~DialRace();

  void start() { start_next(); }
  // The TCP connection of a session stands. True: it has won, it is not the race's any more, and the others
  // are closed. False: nobody waits for it.
  bool connected(const ClientSession& session);
  // False: the session is none of the race's. It has failed and is gone after the call, in which the race may
  // be lost.
  bool failed(const ClientSession& session, const ClientError& error);
  // "connect [::1]:80: Connection refused; ": of the addresses that failed so far.
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
  std::vector<ClientSession*> running_;
  bool dialling_ = false;  // a session that connects at once is not in running_ yet
  bool over_ = false;      // won or lost
  std::string failures_;
  ClientError last_error_;
  net::TimerId timer_{};
};

}  // namespace fanfare::session
