#pragma once
// What a SessionTable holds: the handler of one connection, in one phase of its life. Each phase has a class
// of its own, and the next one takes its place in the table:
//
//   server:  Arrival (PROXY header, TLS) -> HttpConnection -> Session
//   client:  ClientDial (connect, proxy, TLS, handshake) -> ClientSession
//
// Each member has an id of its own, so what refers to an HttpConnection never finds the Session that replaced
// it. Used on its loop's thread only.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "net/transport.h"
#include "session/milliseconds.h"

namespace fanfare::session {

class SessionTable;

// Identifies a member of a table for the lifetime of its loop: every one has another generation, even in a
// reused slot. None has the default one.
struct SessionId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  bool operator==(const SessionId&) const = default;
};

class Member : public net::TransportHandler {
 public:
  // How long after the accept a first request is on its way.
  static constexpr std::uint32_t kFirstRequestWaitMs = 500;

  SessionId id() const;
  const net::Transport& transport() const { return *transport_; }
  virtual SessionTable& table() const = 0;
  // "127.0.0.1:50312", or "" if the peer has disconnected. Behind a proxy: the address in its header.
  std::string peer() const;

  // The server stops. The code and the reason are for a WebSocket's Close frame.
  virtual void shut_down(std::uint16_t code, std::string_view reason) = 0;
  // Whether a request is arriving or answered, or is on its way: a new client has just connected in order to send one. A stop
  // waits a while for it.
  virtual bool is_at_work(std::uint32_t /*now_ms*/) const { return false; }
  // Ends the connection immediately: queued data is dropped.
  virtual void close() { transport_->close(); }
  bool is_closed() const { return transport_->is_closed(); }
  // Whether the peer has everything, including our end of the connection: close() loses nothing.
  bool is_delivered() const { return transport_->is_delivered(); }
  std::size_t queued_bytes() const { return transport_->queued_bytes(); }

 protected:
  enum class Kind : std::uint8_t {
    opening,  // not yet HTTP, or a client's handshake
    http,
    websocket,
  };
  explicit Member(Kind kind) : kind_(kind) {}
  Member(Kind kind, net::Transport& transport) : transport_(&transport), kind_(kind) {}

  net::Transport& transport() { return *transport_; }
  void set_transport(net::Transport& transport) { transport_ = &transport; }
  // Adds it to the table.
  void join();
  // Removes it, if it has joined and was not replaced.
  void leave_table();

  // Continues with kept input, when the next turn permits it.
  virtual void go_on() {}
  // Called by the table's sweep. `now_ms` is from the table's clock.
  virtual void check_time(std::uint32_t now_ms) = 0;
  std::uint32_t now_ms() const;
  // Whether the deadline `timeout`, started at `from`, has passed by `now`. The time that the peer needs to accept earlier data does not
  // count (see DrainWatch). Must be called in every sweep.
  bool has_waited(std::uint32_t now, std::uint32_t from, Duration timeout,
                  std::uint32_t bytes_per_second_min) {
    return waited_ms(now, from, timeout, bytes_per_second_min) >= to_ms(timeout);
  }
  // The next deadline is independent of the data queued before.
  void forget_drain();
  // After a ping was queued: the peer has not accepted everything.
  void renew_drain();
  // A ping is among the data that the peer has not accepted, and may be all of it.
  void note_ping_in_drain();

 private:
  friend class SessionTable;

  std::uint32_t waited_ms(std::uint32_t now, std::uint32_t from, Duration timeout,
                          std::uint32_t bytes_per_second_min);

  static constexpr std::uint32_t kNoSlot = UINT32_MAX;

  net::Transport* transport_ = nullptr;
  std::uint32_t slot_ = kNoSlot;
  std::uint32_t generation_ = 0;
  const Kind kind_;
  bool has_drain_ : 1 = false;        // stored in the table
  bool goes_on_ : 1 = false;          // go_on() is called in the next turn
  bool holds_admission_ : 1 = false;  // a connection of a server: its gate counts it
};

}  // namespace fanfare::session
