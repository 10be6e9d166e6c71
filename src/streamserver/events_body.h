#pragma once
// The answer to one Server-Sent Events request: it goes on until the client leaves or the server stops. Loop thread.

#include <memory>
#include <string_view>
#include <utility>

#include "net/timers.h"
#include "session/answer_body.h"
#include "session/http_connection.h"
#include "streamserver/loop_streams.h"

namespace fanfare::streamserver {

// It ends with its permit, after an `unsubscribed` that says why.
class EventsBody final : public session::AnswerBody,
                         public streams::ClientPort,
                         public PermitHolder,
                         public session::SlowReader {
 public:
  // Answers the request. `wanted`: a stream that exists. `permit`: grants it; null without access control.
  static void start(session::HttpConnection& session, const std::shared_ptr<LoopStreams>& loop,
                    ConnectionSlot slot, std::unique_ptr<streams::Permit> permit,
                    const streams::Request& wanted);
  EventsBody(session::HttpConnection& session, std::shared_ptr<LoopStreams> loop, ConnectionSlot slot,
             std::unique_ptr<streams::Permit> permit);
  ~EventsBody() override;

  void on_writable(session::HttpConnection& session) override;
  void on_shut_down(session::HttpConnection& session) override;

  bool is_open() const override { return !ended_; }
  bool is_congested() const override { return congested_; }
  void send(std::string_view json) override;
  bool send_shared(const SharedBytes& bytes) override;
  bool has_room_behind(std::size_t bytes) override;
  void send_waiting_later() override;
  void close(std::uint16_t code, std::string_view reason) override;
  void on_permit_changed() override;
  void on_permit_ended(std::string_view reason) override;
  net::SendProgress send_progress() const override {
    return std::as_const(session_).transport().send_progress();
  }
  void end_as_too_slow() override { cut_off(); }

 private:
  bool write(Bytes bytes);
  bool has_room(std::size_t waiting_bytes);
  // The client sees that the answer is not complete, and resumes.
  void cut_off();
  void set_congested(bool is_congested);
  void plan_heartbeat();

  session::HttpConnection& session_;
  const std::shared_ptr<LoopStreams> loop_;
  ConnectionSlot slot_;
  const std::unique_ptr<streams::Permit> permit_;
  streams::Client client_;
  bool congested_ = false;
  bool ended_ = false;
  bool sends_later_ = false;
  net::TimerId heartbeat_;
  // What posted tasks reach this through.
  const std::shared_ptr<EventsBody*> self_ = std::make_shared<EventsBody*>(this);
};

}  // namespace fanfare::streamserver
