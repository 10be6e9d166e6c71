#pragma once
// What the clients of one loop share: the table of their sessions, whose sweep keeps their deadlines, and the
// thread that looks names up.

#include <memory>
#include <optional>

#include "net/loop.h"
#include "session/resolver.h"
#include "session/session_table.h"

namespace fanfare::session {

class ClientLoop {
 public:
  // `sweep_interval`: how exact timeouts and heartbeats are.
  explicit ClientLoop(net::Loop& loop, Duration sweep_interval = std::chrono::milliseconds(250),
                      Resolver::Lookup lookup = Resolver::system_lookup)
      : own_table_(std::in_place, loop, sweep_interval), table_(*own_table_), resolver_(std::move(lookup)) {}
  // In the table of a server on the same loop, which outlives this. When the server drains, the clients'
  // connections are closed as well, and do not come back (Cause::shut_down).
  explicit ClientLoop(SessionTable& table, Resolver::Lookup lookup = Resolver::system_lookup)
      : table_(table), resolver_(std::move(lookup)) {}
  ClientLoop(const ClientLoop&) = delete;
  ClientLoop& operator=(const ClientLoop&) = delete;
  // After its clients. Closes what is left in its own table; the loop must not be running.
  ~ClientLoop() {
    if (own_table_) own_table_->close_all();
  }

  net::Loop& loop() const { return table_.loop(); }
  SessionTable& sessions() { return table_; }
  Resolver& resolver() { return resolver_; }

 private:
  std::optional<SessionTable> own_table_;
  SessionTable& table_;
  Resolver resolver_;
};

}  // namespace fanfare::session
