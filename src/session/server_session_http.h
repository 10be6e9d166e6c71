#pragma once
// What a connection needs until its upgrade. For the parts of ServerSession only.

#include <cstdint>
#include <memory>
#include <vector>

#include "http/render.h"
#include "http/request_parser.h"
#include "session/answer_body.h"
#include "session/server_session.h"

namespace fanfare::session {

struct ServerSession::Http final : SessionData {
  explicit Http(Entrance& way_in)
      : entrance(way_in),
        parser({.head_bytes_max = way_in.http.head_bytes_max,
                .header_count_max = way_in.http.header_count_max,
                .body_bytes_max = way_in.http.body_bytes_max}) {}

  // Before the first request: proxy_header, securing. `waiting` is for a request, `reading` in one; `streaming`
  // is an answer whose head was sent and whose body is on its way.
  enum class Doing : std::uint8_t { proxy_header, securing, waiting, reading, answering, streaming, leaving };

  Entrance& entrance;
  http::RequestParser parser;
  // A part of the PROXY header; then what came while an answer was being made, or past the share of a turn.
  std::vector<std::uint8_t> unread;
  std::vector<std::shared_ptr<const void>> unsent;  // HttpResponse::until_sent
  // When it began to do what it does; until the first request's head is whole, when it was accepted.
  std::uint32_t since_ms = 0;
  Doing doing = Doing::waiting;
  bool had_head = false;
  bool keep_alive = true;
  bool head_only = false;
  bool in_read_requests = false;
  bool backed_up = false;  // no request is read until the client has taken the answers
  bool end_waits = false;  // the peer's FIN came, behind what is unread
  int version_minor = 1;
  std::uint32_t turn = 0;
  std::uint32_t requests_in_turn = 0;
  bool decides_later = false;  // about the upgrade that is being served
  bool end_came = false;       // the peer's FIN, while it waited for an answer
  std::vector<ws::OwnedHeader> answer_headers;
  // While streaming.
  std::unique_ptr<AnswerBody> body;
  http::BodyFraming framing = http::BodyFraming::counted;
  std::uint64_t body_left = 0;  // with BodyFraming::counted

  // A request waits for its answer, or for the rest of it.
  bool is_answering() const { return doing == Doing::answering || doing == Doing::streaming; }
};

}  // namespace fanfare::session
