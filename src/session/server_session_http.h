#pragma once
// A connection's state until its upgrade. Only for the parts of ServerSession.

#include <cstdint>
#include <memory>
#include <vector>

#include "http/render.h"
#include "http/request_parser.h"
#include "session/answer_body.h"
#include "session/server_session.h"

namespace fanfare::session {

struct ServerSession::Http final : SessionData {
  explicit Http(ListenerContext& way_in)
      : listener_context(way_in),
        parser({.head_bytes_max = way_in.http.head_bytes_max,
                .header_count_max = way_in.http.header_count_max,
                .body_bytes_max = way_in.http.body_bytes_max}) {}

  // Before the first request: proxy_header, securing. `waiting`: for a request; `reading`: within one.
  // `streaming`: the response's head was sent and its body is in progress.
  enum class State : std::uint8_t { proxy_header, securing, waiting, reading, answering, streaming, leaving };

  ListenerContext& listener_context;
  http::RequestParser parser;
  // Part of the PROXY header; later, input that arrived during a response or exceeded the turn's share.
  std::vector<std::uint8_t> unread;
  std::vector<std::shared_ptr<const void>> unsent;  // HttpResponse::until_sent
  // When the current activity began. Until the first request's head is complete: when it was accepted.
  std::uint32_t since_ms = 0;
  State state = State::waiting;
  bool had_head = false;
  bool keep_alive = true;
  bool head_only = false;
  bool in_read_requests = false;
  bool backed_up = false;  // no request is read until the client has accepted the responses
  bool end_waits = false;  // the peer's FIN arrived, after the unread data
  int version_minor = 1;
  std::uint32_t turn = 0;
  std::uint32_t requests_in_turn = 0;
  bool decides_later = false;  // the current upgrade is decided later
  bool end_came = false;       // the peer's FIN arrived while it waited for a response
  std::vector<ws::OwnedHeader> answer_headers;
  // While streaming.
  std::unique_ptr<AnswerBody> body;
  http::BodyFraming framing = http::BodyFraming::counted;
  std::uint64_t body_left = 0;  // with BodyFraming::counted

  // Whether a request waits for its response, or for the rest of it.
  bool is_answering() const { return state == State::answering || state == State::streaming; }
};

}  // namespace fanfare::session
