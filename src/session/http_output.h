#pragma once
// The answering half of an HttpConnection: the response to the current request, whole or in pieces.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "http/render.h"
#include "session/answer_body.h"
#include "session/http_service.h"
#include "session/listener_context.h"
#include "session/member.h"
#include "session/request_note.h"
#include "session/send_result.h"

namespace fanfare::session {

class HttpOutput : public Member {
 public:
  // Answers the current request, once. It does nothing without a request, or while its upgrade is decided
  // here. The loop serves the connection's next request, not this call.
  void respond(const HttpResponse& response);
  // The same, and the connection closes afterwards: a second response of the request's handler, which may still come,
  // finds no later request.
  void respond_last(const HttpResponse& response);
  // Adds fields before those of any response to the current request. A 101 has none of them.
  void set_answer_headers(std::vector<ws::OwnedHeader> headers) { answer_headers_ = std::move(headers); }

  // Of the current request; dropped with its answer.
  void set_note(std::shared_ptr<RequestNote> note) { note_ = std::move(note); }
  RequestNote* note() const { return note_.get(); }

  // Becomes true when nobody waits for the response to the current request any more: it was sent, or the client has
  // disconnected or ended its side of the connection. For work that takes long; readable from any thread, also later.
  std::shared_ptr<const std::atomic<bool>> abandonment();

  // Answers the current request with this head and a body in pieces. The body has `length` bytes; without a
  // length it is sent in chunks (RFC9112§7.1), or until the close for an HTTP/1.0 client. `response.body`
  // must be empty. False: no body is sent (HEAD, or the status allows none), or there is no request to
  // answer; `body` is destroyed.
  bool start_body(const HttpResponse& response, std::optional<std::uint64_t> length,
                  std::unique_ptr<AnswerBody> body);
  // congested: the client reads too slowly; wait for on_writable. closed: the client has disconnected, or
  // HttpSettings::body_outbox_bytes_max was already waiting and the response was cut off.
  SendResult write_body(Bytes data);
  // Completes the body; the connection continues. A body with fewer bytes than its length is cut off instead.
  void end_body();
  // Reports a failure: the connection is closed, so that the client can detect it.
  void abort_body();

  SessionTable& table() const final { return table_; }
  // Whether it came to this listener.
  bool is_of(const ListenerContext* listener) const { return &context_ == listener; }

 protected:
  // `waiting`: for a request; `reading`: within one, before its handler has it. `answering`: a handler has it.
  // `streaming`: the response's head was sent and its body is in progress. `leaving`: the last response was
  // sent. `upgraded`: a WebSocket has taken over.
  enum class State : std::uint8_t { waiting, reading, answering, streaming, leaving, upgraded };

  HttpOutput(ServerTable& table, ListenerContext& context)
      : Member(Kind::http), table_(table), context_(context) {}

  // The response is queued completely, and keep_alive_ says whether the connection continues.
  virtual void on_answered() = 0;
  // Before a response's head is made: the last chance to unset keep_alive_.
  virtual void before_answer() = 0;

  // A request has come; the response to it follows.
  void begin_answer(const http::Request& request);
  void check_body_time(std::uint32_t now_ms);
  bool has_waited(std::uint32_t now_ms, Duration timeout);
  // Whether a request waits for its response, or for the rest of it.
  bool is_answering() const { return state_ == State::answering || state_ == State::streaming; }
  HttpService& service() const { return context_.service; }
  const HttpSettings& settings() const { return context_.http; }

  // The client has ended its side: no response is wanted, to the requests that it has already sent either.
  void note_end() {
    has_ended_ = true;
    abandon_answer();
  }
  void abandon_answer() {
    if (abandoned_ != nullptr) std::exchange(abandoned_, nullptr)->store(true, std::memory_order_relaxed);
  }

  ServerTable& table_;
  ListenerContext& context_;
  const std::shared_ptr<const void> use_ = context_.use;
  // When the current activity began. Until the first request's head is complete: when it was accepted.
  std::uint32_t since_ms_ = 0;
  State state_ = State::waiting;
  bool keep_alive_ = true;
  std::vector<std::shared_ptr<const void>> unsent_;  // HttpResponse::until_sent
  std::unique_ptr<AnswerBody> body_;                 // while streaming
  std::shared_ptr<RequestNote> note_;                // null: nobody wants to know

 private:
  void add_noted_headers() {
    if (note_ != nullptr) note_->add_headers(answer_headers_);
  }
  void note_answer(int status, std::size_t body_bytes) {
    if (note_ != nullptr) std::exchange(note_, nullptr)->on_answered(status, body_bytes);
    abandon_answer();
  }
  http::ResponseOptions response_options() const;
  void body_is_over();

  std::shared_ptr<std::atomic<bool>> abandoned_;  // null: abandonment() was not called
  bool has_ended_ = false;
  bool head_only_ = false;
  int version_minor_ = 1;
  std::vector<ws::OwnedHeader> answer_headers_;
  // While streaming.
  http::BodyFraming framing_ = http::BodyFraming::counted;
  std::uint64_t body_left_ = 0;  // with BodyFraming::counted
};

}  // namespace fanfare::session
