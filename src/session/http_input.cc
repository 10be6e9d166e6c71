#include "session/http_input.h"

#include <utility>

#include "session/milliseconds.h"

namespace fanfare::session {
namespace {

http::RequestLimits limits_of(const HttpSettings& settings) {
  return {.head_bytes_max = settings.head_bytes_max,
          .header_count_max = settings.header_count_max,
          .body_bytes_max = settings.body_bytes_max};
}

}  // namespace

HttpInput::HttpInput(ServerTable& table, ListenerContext& context)
    : HttpOutput(table, context), parser_(limits_of(context.http)) {}

void HttpInput::keep(Bytes input) {
  unread_.insert(unread_.end(), input.begin(), input.end());
  transport().pause_reading();
}

std::expected<std::optional<http::Request>, http::Error> HttpInput::next_request(Bytes& input) {
  if (!parser_.in_body()) {
    auto head = parser_.next_head(input);
    may_receive_ = head && *head;
    if (!may_receive_ || !parser_.in_body()) return head;
    const BodyPlan plan = service().plan_body(self(), **head);
    const auto fits = parser_.limit_body(plan.bytes_max.value_or(settings().body_bytes_max));
    if (!fits) return std::unexpected(fits.error());
    in_body_ = plan.in_pieces;
    if (in_body_) return head;
    may_receive_ = false;
  }
  const std::size_t before = input.size();
  auto request = parser_.next_body(input);
  const std::size_t held = request && !*request ? parser_.body_bytes_held() : 0;
  if (!table_.unfinished().note(*this, held, before - input.size(), now_ms())) {
    table_.unfinished().forget(*this);
    return std::unexpected(parser_.give_up({503, "no memory for a body of this length"}));
  }
  return request;
}

void HttpInput::receive_body(std::unique_ptr<RequestBody> reader) {
  if (!is_answering() || !std::exchange(may_receive_, false)) return;
  reader_ = std::move(reader);
  is_empty_ = !in_body_;
  in_body_ = true;
  window_ms_ = 0;
  window_bytes_ = 0;
}

void HttpInput::want_body() {
  if (reader_ == nullptr || std::exchange(wanted_, true)) return;
  wanted_from_ms_ = now_ms();
  // RFC9110§10.1.1: now the client is asked for its body, if it waits for that.
  if (parser_.take_continue()) http::render_continue(transport());
  // Deferred: a reader must not run on the stack of a caller that wants more.
  if (!in_read_requests_) table_.go_on_next_turn(*this);
}

std::expected<http::RequestParser::Piece, http::Error> HttpInput::next_piece(Bytes& input) {
  if (std::exchange(is_empty_, false)) return http::RequestParser::Piece{.bytes = {}, .last = true};
  return parser_.next_piece(input);
}

bool HttpInput::read_body(Bytes& input) {
  while (in_body_) {
    if (!wanted_ && !discarding_) {
      keep(input);
      return false;
    }
    const auto piece = next_piece(input);
    if (!piece) {
      fail_body(piece.error());
      return false;
    }
    if (piece->bytes.empty() && !piece->last) return false;  // more is needed
    window_bytes_ += piece->bytes.size();
    in_body_ = !piece->last;
    if (discarding_) {
      if (piece->last) {
        discarding_ = false;
        state_ = State::waiting;
      }
      continue;
    }
    wanted_ = false;
    window_ms_ += now_ms() - wanted_from_ms_;
    if (in_body_) {
      reader_->on_piece(self(), piece->bytes, false);
    } else {
      const auto reader = std::move(reader_);
      reader->on_piece(self(), piece->bytes, true);
    }
    if (is_closed() || state_ == State::leaving) return false;
  }
  return true;
}

void HttpInput::fail_body(const http::Error& error) {
  drop_body();
  if (state_ == State::answering) return refuse(error.status, error.reason);
  if (state_ == State::streaming) return abort_body();
  begin_leaving();
}

// The reader may be the caller, so it is destroyed in the next turn.
void HttpInput::retire_reader() {
  wanted_ = false;
  if (reader_ == nullptr) return;
  table_.loop().post([reader = std::shared_ptr<RequestBody>(std::move(reader_))] {});
}

void HttpInput::drop_body() {
  in_body_ = discarding_ = false;
  retire_reader();
}

void HttpInput::before_answer() {
  may_receive_ = false;
  if (!in_body_ || is_empty_) return;
  // A client that still waits for "100 Continue" may never send its body, and what follows is then unclear.
  const bool is_awaited = parser_.take_continue();
  const auto left = parser_.body_left();
  if (is_awaited || !left || *left > settings().discarded_body_bytes_max) keep_alive_ = false;
}

bool HttpInput::discard_rest_of_body() {
  if (!in_body_) return false;
  retire_reader();
  discarding_ = true;
  state_ = State::reading;
  if (!in_read_requests_) table_.go_on_next_turn(*this);
  return true;
}

// The whole body may take any time, but not at less than the rate: occasional bytes must not hold a request.
// Only the time counts in which the reader waits for the client.
void HttpInput::check_reading_body(std::uint32_t now) {
  if (!in_body_ || !wanted_ || !is_answering()) return;
  const std::uint32_t waited = window_ms_ + (now - wanted_from_ms_);
  if (waited < to_ms(settings().request_timeout)) return;
  const std::uint64_t bytes = std::exchange(window_bytes_, 0);
  window_ms_ = 0;
  wanted_from_ms_ = now;
  if (bytes > 0 && 1000 * bytes >= std::uint64_t{waited} * settings().body_bytes_per_second_min) return;
  fail_body({408, "the request took too long to arrive"});
}

}  // namespace fanfare::session
