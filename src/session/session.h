#pragma once
// One WebSocket connection on either side, from the end of its handshake to its end: it connects the protocol
// (ws::Connection) with a transport. Use it on its loop's thread only; other threads post to the loop with its
// SessionId.
//
// No call here runs a method of the endpoint before it returns; the loop calls the endpoint later.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <typeinfo>

#include "base/block_pool.h"
#include "base/check.h"
#include "session/session_data.h"
#include "session/session_output.h"
#include "session/turn_share.h"

namespace fanfare::session {

class Session : public SessionOutput {
 public:
  // `transport` must outlive the session, and `endpoint` serves sessions of this table only.
  static std::unique_ptr<Session> make(SessionTable& table, net::Transport& transport, Endpoint& endpoint,
                                       ws::Connection::Options options, std::unique_ptr<SessionData> data);
  ~Session() override;
  static void* operator new(std::size_t, BlockPool& memory) { return memory.take(); }
  static void operator delete(void* session) { BlockPool::give_back(session); }
  static void operator delete(void* session, BlockPool&) { BlockPool::give_back(session); }

  // Call one of the two once: the session takes a slot of its own in the table, or that of the member which
  // made the handshake. Then on_open is called. The transport's next call must go to this session.
  void open();
  void open_in_place_of(Member& before);

  // Starts the closing handshake; on_close follows when the peer answers or after close_timeout. The code
  // must be one that may be sent; the reason is at most 123 bytes of UTF-8.
  void start_closing(std::uint16_t code, std::string_view reason = {}) {
    close_as(Cause::we_closed, code, reason);
  }
  // As start_closing, with Cause::shut_down.
  void shut_down(std::uint16_t code, std::string_view reason = {}) override {
    close_as(Cause::shut_down, code, reason);
  }
  void close() override;

  // Between pause() and resume() nothing is passed to on_message; TCP flow control holds the peer back.
  // Meanwhile:
  // - Pings are sent, but pongs cannot be read. Instead, the peer's system must accept the ping within
  //   pong_timeout.
  // - SessionSettings::idle_timeout keeps running: a program that pauses for longer should set a longer one.
  // - A reset ends the session immediately. After the peer's FIN, resume() within close_timeout delivers the
  //   earlier data; otherwise the session ends with Cause::connection_lost. A Close frame is noticed only
  //   when it is read.
  void pause();
  void resume();

  // The data that the session was accepted with. Data is its type; another one is a bug of ours and ends the
  // process.
  template <typename Data>
  Data& data() const {
    const SessionData* const data = data_.get();
    FANFARE_CHECK(data != nullptr && typeid(*data) == typeid(Data));
    return static_cast<Data&>(*data_);
  }
  void set_data(std::unique_ptr<SessionData> data) { data_ = std::move(data); }

  // In on_message(), with its payload: ws::Connection::take_message().
  ws::IncomingPtr take_message(Bytes payload) { return connection_.take_message(payload); }

  void on_receive(MutableBytes input) override;
  // Keeps the input. The loop delivers it in its next turn, followed by the peer's FIN if that has arrived.
  void receive_later(Bytes input, bool end_came);

 protected:
  Session(SessionTable& table, net::Transport& transport, Endpoint& endpoint, ws::Connection::Options options,
          std::unique_ptr<SessionData> data);

  // Size of the incomplete message.
  std::size_t partly_received_bytes() const { return connection_.buffered_bytes(); }

 private:
  friend class SessionTable;

  void on_flushed() override;
  void on_end() override;
  void on_end_unread() override {
    if (paused_) deadline_from_ms_ = now_ms();
  }
  void on_lost(const net::OsError&) override { end_without_close(Cause::connection_lost); }
  void on_detached() override;
  void go_on() override;
  void check_time(std::uint32_t now_ms) override;

  void begin();
  void receive(MutableBytes input);
  // The usual input is one short message, without the rest of consume(). False: it is not, and nothing was done.
  bool hand_out_only_message(MutableBytes input);
  // Delivers what this turn's share allows; returns the rest.
  MutableBytes consume(MutableBytes input);
  // Delivers complete messages until other input, or one beyond the share. `self` is connection_.role().
  template <ws::Role self>
  MutableBytes hand_out_whole_messages(MutableBytes input);
  void handle(const ws::Event& event);
  bool may_go_on() const;
  std::size_t share_left();
  void hand_out(const ws::Event& message);
  void keep(Bytes input);
  void go_on_next_turn();
  void check_open(std::uint32_t now_ms);
  void check_heartbeat(std::uint32_t now_ms, const SessionSettings& settings);
  void close_as(Cause cause, std::uint16_t code, std::string_view reason);
  void begin_closing(Cause cause) override;
  // Notifies the endpoint, once. The transport ends separately.
  void end(Cause cause, std::uint16_t code, std::string_view reason = {}, std::optional<ws::Rule> rule = {});
  // The connection has ended without the peer's Close.
  void end_without_close(Cause cause) {
    end(phase_ == Phase::closing ? cause_ : cause, ws::close_code::abnormal);
  }
  // RFC6455§7.1.1: a server sends the queued data and a FIN, then waits for the peer's FIN. A client waits
  // for the server's FIN first, unless it failed the connection.
  void leave() {
    if (connection_.should_close_transport()) transport().finish_writing();
  }

  // The fields use padding where possible.
  bool paused_ : 1 = false;
  bool awaiting_pong_ : 1 = false;
  bool has_unread_ : 1 = false;  // stored in the table
  bool end_waits_ : 1 = false;   // the peer's FIN arrived, after the unread data
  Cause cause_ = Cause::we_closed;
  TurnShare share_;
  std::uint32_t idle_since_ms_ = 0;  // no message since then, but for had_message_
};

static_assert(sizeof(Session) <= 96,
              "this and a net::Stream, times the connections, is what waiting for messages costs");

}  // namespace fanfare::session
