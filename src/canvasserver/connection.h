#pragma once
// One client of a room over a WebSocket: its requests go to the room's thread, and what comes from there goes to the client
// at its pace. Two kinds: BinaryConnection and JsonConnection. Loop thread.
//
// A client that is behind (its outbox is above outbox_bytes_high) gets no ticks. What it lacks is noted, and
// sent when its outbox has drained: never a gap, and never more in memory than the outbox and a few chunks. It is closed with
// 1013 if it takes nothing for slow_timeout.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/token_bucket.h"
#include "canvas/client_message.h"
#include "canvas/json_request.h"
#include "canvasserver/lacking_chunks.h"
#include "canvasserver/loop_room.h"
#include "canvasserver/permit.h"
#include "session/session.h"
#include "session/slow_watch.h"

namespace fanfare::canvasserver {

// From the URL and from access control.
struct Visitor {
  std::string identity;  // canvas::JoinRequest::identity
  std::string payer;
  std::string name;
  std::uint32_t colour = 0;
};

class Connection : public session::SlowReader, public PermitHolder {
 public:
  // The room and the session must outlive it. `permit`: null without access control.
  Connection(LoopRoom& room, session::Session& session, Visitor visitor, std::unique_ptr<Permit> permit);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection();

  session::SessionId id() const { return id_; }
  // Once: joins the room.
  void open();
  void receive(const session::Message& message);
  void on_drained();
  void resume() { session_.resume(); }

  // Of a tick: `sections` of its chunks are in the area. `frame` has the frame for all that lack nothing, once somebody
  // has made it.
  virtual void send_tick(TickOut& tick, std::span<const std::uint16_t> sections, SharedBytes& frame) = 0;
  virtual void send_presence(const TickOut& tick) = 0;
  virtual void send_cursors(const TickOut::AreaCursors& cursors) = 0;

  // What the room says, in order with the ticks:
  struct Joined {
    canvas::Welcome welcome;
    canvas::PresenceDelta users;
  };
  virtual void welcome(const Joined& joined) = 0;
  void refuse_join(bool is_full);
  // What the client knows of the room is of another epoch.
  void begin_again();
  // False: the connection is closed.
  bool send(const SharedBytes& frame);
  // An answer to a JSON message, also of a binary connection.
  void send_text(std::string_view message);
  void send_json_error(const canvas::ProtocolError& error);

  net::SendProgress send_progress() const override {
    return std::as_const(session_).transport().send_progress();
  }
  void end_as_too_slow() override;
  void on_permit_changed() override;
  void on_permit_ended(std::string_view reason) override;

  // For the room's thread: a task for the connection with this id, if it is still there.
  template <typename Kind = Connection, typename Task>
  static LoopTask to(session::SessionId id, Task task) {
    return [id, task = std::move(task)](LoopRoom& room) mutable {
      if (Connection* const there = room.find(id)) task(static_cast<Kind&>(*there));
    };
  }
  // Runs on the room's thread; what it sends comes back with to().
  void request(RoomThread::Task task, std::size_t bytes = 128);
  const std::shared_ptr<Member>& member() const { return member_; }
  canvas::Rights rights() const;
  // The name of its identity; empty without access control.
  std::string_view principal() const {
    return permit_ == nullptr ? std::string_view() : permit_->holder_name();
  }
  const canvas::RoomSpec& spec() const { return room_.room().spec(); }
  LoopRoom& room() { return room_; }
  void cursor(const std::optional<canvas::CursorMessage::Position>& position);
  virtual void watch(const canvas::Area& area) = 0;
  // Answers `authenticate`.
  void authenticate(const std::string& id, const std::string& token);

 protected:
  virtual void receive_binary(Bytes message) = 0;
  virtual void send_error(canvas::ProtocolError error) = 0;
  // Asks the room for more of what the client lacks, if it can take it.
  virtual void pump() = 0;

  bool is_congested() const { return session_.is_congested(); }
  bool is_open() const { return session_.is_open(); }
  void set_area(const std::optional<canvas::ChunkArea>& area);
  const std::optional<canvas::ChunkArea>& area() const { return area_; }

 private:
  static void answer_join(RoomThread& room, const Member& member, const Visitor& visitor,
                          canvas::Rights rights, session::SessionId id, bool waits);
  void handle(const session::Message& message);
  // Empty: within the limits. Otherwise why not, if the client is to be told; without a message: it is not.
  std::optional<canvas::ProtocolError> limit_problem(std::size_t bytes);

  LoopRoom& room_;
  session::Session& session_;
  const session::SessionId id_;
  const std::unique_ptr<Permit> permit_;
  const std::shared_ptr<Member> member_ = std::make_shared<Member>();
  const Visitor visitor_;
  std::optional<canvas::ChunkArea> area_;
  TokenBucket messages_;
  TokenBucket flood_;
  std::optional<Instant> said_too_many_;
};

}  // namespace fanfare::canvasserver
