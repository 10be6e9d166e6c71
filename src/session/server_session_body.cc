// ServerSession's responses with a body in pieces.

#include <algorithm>
#include <utility>

#include "base/guard.h"
#include "http/render.h"
#include "session/http_answer.h"
#include "session/server_session.h"
#include "session/server_session_http.h"

namespace fanfare::session {
namespace {

// RFC9112§6.3: for a body of unknown length, HTTP/1.1 uses chunks, and HTTP/1.0 only the close.
http::BodyFraming framing_for(std::optional<std::uint64_t> length, int version_minor) {
  if (length) return http::BodyFraming::counted;
  return version_minor == 0 ? http::BodyFraming::until_the_close : http::BodyFraming::chunked;
}

}  // namespace

bool ServerSession::start_body(const HttpResponse& response, std::optional<std::uint64_t> length,
                               std::unique_ptr<AnswerBody> body) {
  if (was_opened() || http_state().state != Http::State::answering) return false;
  Http& http = http_state();
  const http::Answer answer = answer_of(response, http.answer_headers);
  if (!answer.explanation.empty() || !http::may_have_body(answer.status)) {
    respond(response);
    return false;
  }
  http.framing = framing_for(length, http.version_minor);
  http.body_left = length.value_or(0);
  if (http.framing == http::BodyFraming::until_the_close) http.keep_alive = false;
  const std::string date = http::format_date(system_clock().wall_now());
  http::render_response_head(*this, answer.status, answer.headers, http.framing, http.body_left,
                             {.keep_alive = http.keep_alive,
                              .version_minor = http.version_minor,
                              .date = date,
                              .head_only = http.head_only});
  service().on_answered(answer.status);
  if (http.head_only) {
    answered();
    return false;
  }
  http.state = Http::State::streaming;
  http.since_ms = now_ms();
  forget_drain();
  http.body = std::move(body);
  tell_when_flushed();
  return true;
}

SendResult ServerSession::write_body(Bytes data) {
  if (was_opened() || http_state().state != Http::State::streaming || is_closed()) return SendResult::closed;
  Http& http = http_state();
  if (data.empty()) return SendResult::queued;  // an empty chunk would end the body
  if (queued_bytes() >= std::max<std::size_t>(1, listener_context().http.body_outbox_bytes_max) ||
      (http.framing == http::BodyFraming::counted && data.size() > http.body_left)) {
    abort_body();
    return SendResult::closed;
  }
  if (queued_bytes() == 0) {
    http.since_ms = now_ms();
    forget_drain();
  }
  switch (http.framing) {
    case http::BodyFraming::counted:
      http.body_left -= data.size();
      append(data);
      break;
    case http::BodyFraming::chunked:
      http::render_chunk(*this, data);
      break;
    case http::BodyFraming::until_the_close:
      append(data);
      break;
  }
  tell_when_flushed();
  return queued_bytes() < listener_context().http.outbox_bytes_high ? SendResult::queued
                                                                    : SendResult::congested;
}

void ServerSession::end_body() {
  if (was_opened() || http_state().state != Http::State::streaming) return;
  Http& http = http_state();
  if (http.framing == http::BodyFraming::counted && http.body_left > 0) return abort_body();
  if (http.framing == http::BodyFraming::chunked) http::render_last_chunk(*this);
  body_is_over();
  answered();
}

void ServerSession::abort_body() {
  if (was_opened() || http_state().state != Http::State::streaming) return;
  body_is_over();
  http_state().state = Http::State::leaving;
  close();
}

// The writer may be the caller, so it is destroyed in the next turn.
void ServerSession::body_is_over() {
  std::shared_ptr<AnswerBody> body = std::move(http_state().body);
  http_state().state = Http::State::answering;
  loop().post([body = std::move(body)] {});
}

// A client that accepts nothing cannot hold a response for longer; a writer without data may take its time.
void ServerSession::check_body_time(std::uint32_t now) {
  if (queued_bytes() > 0 && has_waited(now, listener_context().http.idle_timeout)) abort_body();
}

}  // namespace fanfare::session
