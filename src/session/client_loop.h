#pragma once
// Shared by the clients of one loop: the table of their sessions, whose sweep checks deadlines, and the
// thread that resolves names.

#include <memory>
#include <optional>

#include "net/loop.h"
#include "session/resolver.h"
#include "session/session_table.h"

namespace fanfare::session {

class ClientLoop {
 public:
  // `sweep_interval`: the accuracy of timeouts and heartbeats.
  explicit ClientLoop(net::Loop& loop, Duration sweep_interval = std::chrono::milliseconds(250),
                      Resolver::Lookup lookup = Resolver::system_lookup)
      : own_table_(std::in_place, loop, sweep_interval), table_(*own_table_), resolver_(std::move(lookup)) {}
  // Uses the table of a server on the same loop, which must outlive this. When the server drains, the
  // clients' connections are closed as well and are not re-established (Cause::shut_down).
  explicit ClientLoop(SessionTable& table, Resolver::Lookup lookup = Resolver::system_lookup)
      : table_(table), resolver_(std::move(lookup)) {}
  ClientLoop(const ClientLoop&) = delete;
  ClientLoop& operator=(const ClientLoop&) = delete;
  // Destroy it after its clients. Closes the sessions left in its own table; the loop must not be running.
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
