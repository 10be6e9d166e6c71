#pragma once
// The program's side of a WebSocket: one Endpoint serves many sessions of one table. It is called on that
// table's loop's thread only.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "session/settings.h"
#include "ws/opcode.h"
#include "ws/rules.h"

namespace fanfare::session {

class Session;
class SessionTable;

struct Message {
  ws::Opcode opcode;  // text or binary
  // Whole; text is valid UTF-8. The callee may change it before it sends it; gone when the call returns.
  MutableBytes payload;
  // Of the pieces of a message, with SessionSettings::pieces: text as a whole is valid UTF-8.
  bool first = true;
  bool last = true;
};

// Why a session ended.
enum class Cause : std::uint8_t {
  peer_closed,      // the peer sent the first Close frame
  we_closed,        // we sent the first one, and the peer answered or timed out
  rule_broken,      // the peer broke a rule
  slow_consumer,    // outbox_bytes_max was reached
  pong_timeout,     // no data after a ping
  idle_timeout,     // SessionSettings::idle_timeout
  connection_lost,  // reset, or FIN without a Close frame
  shut_down,        // the server stopped
};
std::string_view name_of(Cause cause);

struct CloseInfo {
  Cause cause = Cause::connection_lost;
  std::uint16_t code = 1006;            // as reported to an application (RFC6455§7.1.5)
  std::string_view reason;              // the peer's, if it sent one; borrowed for the call
  std::optional<ws::Rule> broken_rule;  // with Cause::rule_broken
  std::size_t unsent_bytes = 0;         // queued, but not accepted by the kernel by then
};

class Endpoint {
 public:
  explicit Endpoint(const SessionSettings& settings) : settings_(settings) {}
  virtual ~Endpoint() = default;
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  virtual void on_open(Session&) {}
  // A handshake for this endpoint violated a rule or the policy, and was answered with this status.
  virtual void on_upgrade_refused(int /*status*/) {}
  virtual void on_message(Session&, const Message&) = 0;
  // The outbox is empty again after send() returned congested.
  virtual void on_drained(Session&) {}
  // A ping came, and its pong is queued. For counting only.
  virtual void on_ping(Session&) {}
  virtual void on_pong(Session&, Bytes) {}
  // Whether answers to the session's requests are under way: a stop waits a while for them before it closes the session.
  virtual bool is_answering(const Session&) const { return false; }
  // The session has used its share of this turn (frames_per_turn_max, bytes_per_turn_max) and continues in
  // the next. For counting only.
  virtual void on_turn_share_spent(Session&) {}
  // Called exactly once for every session that was opened. Nothing can be sent any more.
  virtual void on_close(Session&, const CloseInfo&) {}

  const SessionSettings& settings() const { return settings_; }

  // Called by its sessions. They find their table here: all sessions of an endpoint are in the same one.
  void enter(SessionTable& table) {
    FANFARE_CHECK(sessions_ == 0 || table_ == &table);
    table_ = &table;
    ++sessions_;
  }
  void leave() { --sessions_; }
  // Only while it has sessions.
  SessionTable& table() const { return *table_; }

 private:
  const SessionSettings& settings_;
  SessionTable* table_ = nullptr;
  std::size_t sessions_ = 0;
};

}  // namespace fanfare::session
