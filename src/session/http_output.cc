#include "session/http_output.h"

#include <algorithm>
#include <string>
#include <utility>

#include "session/http_answer.h"
#include "session/milliseconds.h"

namespace fanfare::session {
namespace {

// RFC9112§6.3: for a body of unknown length, HTTP/1.1 uses chunks, and HTTP/1.0 only the close.
http::BodyFraming framing_for(std::optional<std::uint64_t> length, int version_minor) {
  if (length) return http::BodyFraming::counted;
  return version_minor == 0 ? http::BodyFraming::until_the_close : http::BodyFraming::chunked;
}

// Valid until the next call on this thread.
std::string_view date_now() {
  thread_local http::DateText text;
  return text.of(system_clock().wall_now());
}

}  // namespace

void HttpOutput::begin_answer(const http::Request& request) {
  state_ = State::answering;
  answer_headers_.clear();
  note_.reset();
  abandon_answer();
  keep_alive_ = request.keep_alive && !table_.ends_http() && !context_.is_removed;
  head_only_ = request.method == "HEAD";
  version_minor_ = request.version_minor;
}

http::ResponseOptions HttpOutput::response_options() const {
  return {.keep_alive = keep_alive_,
          .version_minor = version_minor_,
          .date = date_now(),
          .head_only = head_only_};
}

std::shared_ptr<const std::atomic<bool>> HttpOutput::abandonment() {
  if (abandoned_ == nullptr) abandoned_ = std::make_shared<std::atomic<bool>>(!is_answering() || has_ended_);
  return abandoned_;
}

void HttpOutput::respond(const HttpResponse& response) {
  if (state_ != State::answering) return;
  before_answer();
  add_noted_headers();
  const http::Answer answer = answer_of(response, answer_headers_);
  const std::string_view body = answer.explanation.empty() ? response.body : answer.explanation;
  http::render_response(transport(), answer.status, answer.headers, as_bytes(body), response_options());
  if (response.until_sent != nullptr) {
    unsent_.push_back(response.until_sent);
    transport().notify_when_flushed();
  }
  service().on_answered(answer.status);
  note_answer(answer.status, body.size());
  on_answered();
}

void HttpOutput::respond_last(const HttpResponse& response) {
  if (state_ != State::answering) return;
  keep_alive_ = false;
  respond(response);
}

bool HttpOutput::start_body(const HttpResponse& response, std::optional<std::uint64_t> length,
                            std::unique_ptr<AnswerBody> body) {
  if (state_ != State::answering) return false;
  const std::size_t headers_before = answer_headers_.size();
  add_noted_headers();
  const http::Answer answer = answer_of(response, answer_headers_);
  if (!answer.explanation.empty() || !http::may_have_body(answer.status)) {
    answer_headers_.resize(headers_before);  // respond() adds them again
    respond(response);
    return false;
  }
  before_answer();
  framing_ = framing_for(length, version_minor_);
  body_left_ = length.value_or(0);
  if (framing_ == http::BodyFraming::until_the_close) keep_alive_ = false;
  http::render_response_head(transport(), answer.status, answer.headers, framing_, body_left_,
                             response_options());
  service().on_answered(answer.status);
  note_answer(answer.status, 0);
  if (head_only_) {
    on_answered();
    return false;
  }
  state_ = State::streaming;
  since_ms_ = now_ms();
  forget_drain();
  body_ = std::move(body);
  transport().notify_when_flushed();
  return true;
}

SendResult HttpOutput::write_body(Bytes data) {
  if (state_ != State::streaming || is_closed()) return SendResult::closed;
  if (data.empty()) return SendResult::queued;  // an empty chunk would end the body
  if (queued_bytes() >= std::max<std::size_t>(1, settings().body_outbox_bytes_max) ||
      (framing_ == http::BodyFraming::counted && data.size() > body_left_)) {
    abort_body();
    return SendResult::closed;
  }
  if (queued_bytes() == 0) {
    since_ms_ = now_ms();
    forget_drain();
  }
  switch (framing_) {
    case http::BodyFraming::counted:
      body_left_ -= data.size();
      transport().append(data);
      break;
    case http::BodyFraming::chunked:
      http::render_chunk(transport(), data);
      break;
    case http::BodyFraming::until_the_close:
      transport().append(data);
      break;
  }
  transport().notify_when_flushed();
  return queued_bytes() < settings().outbox_bytes_high ? SendResult::queued : SendResult::congested;
}

void HttpOutput::end_body() {
  if (state_ != State::streaming) return;
  if (framing_ == http::BodyFraming::counted && body_left_ > 0) return abort_body();
  if (framing_ == http::BodyFraming::chunked) http::render_last_chunk(transport());
  body_is_over();
  on_answered();
}

void HttpOutput::abort_body() {
  if (state_ != State::streaming) return;
  body_is_over();
  state_ = State::leaving;
  close();
}

// The writer may be the caller, so it is destroyed in the next turn.
void HttpOutput::body_is_over() {
  std::shared_ptr<AnswerBody> body = std::move(body_);
  state_ = State::answering;
  table_.loop().post([body = std::move(body)] {});
}

bool HttpOutput::has_waited(std::uint32_t now, Duration timeout) {
  return Member::has_waited(now, since_ms_, timeout, settings().drain_bytes_per_second_min);
}

// A client that accepts nothing cannot hold a response for longer; a writer without data may take its time.
void HttpOutput::check_body_time(std::uint32_t now) {
  if (queued_bytes() > 0 && has_waited(now, settings().idle_timeout)) abort_body();
}

}  // namespace fanfare::session
