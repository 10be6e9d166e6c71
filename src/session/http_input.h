#pragma once
// The reading half of an HttpConnection: input that has to wait, and the body of a request in pieces.
//
// A body in pieces is read at the pace of its reader: each want_body() yields one piece, and reading stops in
// between. The handler may answer before the whole body has come (RFC9112§9.3). A short rest is then read and
// discarded, and the connection continues; otherwise the connection closes after the response (RFC9112§9.6).

#include <cstdint>
#include <memory>
#include <vector>

#include "http/request_parser.h"
#include "session/http_output.h"
#include "session/request_body.h"

namespace fanfare::session {

class HttpInput : public HttpOutput {
 public:
  // Takes the body of the current request in pieces: once, if HttpService::plan_body() wanted that or the
  // request has no body. Then call want_body(). Otherwise the reader is destroyed at once.
  void receive_body(std::unique_ptr<RequestBody> reader);
  // Delivers the next piece of the body to its reader, later or in the caller's on_piece() as soon as it
  // returns. Does nothing without a reader.
  void want_body();
  // In on_request(), with the request's body: hands over its memory, so that the body outlives the call. Empty: the body is
  // a view of the input.
  GrowingBytes take_body(Bytes body) { return parser_.take_body(body); }

 protected:
  HttpInput(ServerTable& table, ListenerContext& context);

  // Answers a request that cannot be served, and closes the connection.
  virtual void refuse(int status, std::string_view reason) = 0;
  virtual void begin_leaving() = 0;
  virtual HttpConnection& self() = 0;

  // Keeps input for later and stops reading.
  void keep(Bytes input);
  // The next request that a handler may have: a whole one, or the head of one whose body it takes in pieces.
  std::expected<std::optional<http::Request>, http::Error> next_request(Bytes& input);
  // Passes on what its reader wants, or discards. False: nothing can be done with more input now.
  bool read_body(Bytes& input);
  // The client has not sent the whole body.
  bool is_body_incomplete() const { return in_body_ && !is_empty_; }
  bool has_body_to_read() const { return in_body_ && (wanted_ || discarding_); }
  void before_answer() override;
  // The response is complete, and the connection continues after the rest of the body. True: there is one.
  bool discard_rest_of_body();
  // The rest of the body will not come.
  void drop_body();
  void check_reading_body(std::uint32_t now_ms);

  http::RequestParser parser_;
  // Input that arrived during a response, exceeded the turn's share, or is not wanted yet.
  std::vector<std::uint8_t> unread_;
  bool in_body_ = false;     // of a request in pieces, whose last piece has not been read
  bool discarding_ = false;  // that body's rest, after the response
  bool in_read_requests_ = false;

 private:
  std::expected<http::RequestParser::Piece, http::Error> next_piece(Bytes& input);
  void fail_body(const http::Error& error);
  void retire_reader();

  bool may_receive_ = false;  // receive_body() may be called for the current request
  bool is_empty_ = false;     // the body that is read in pieces has none
  bool wanted_ = false;
  std::unique_ptr<RequestBody> reader_;
  // For the rate of a body: since the last check, how long the reader has waited, and for how many bytes.
  std::uint32_t wanted_from_ms_ = 0;
  std::uint32_t window_ms_ = 0;
  std::uint64_t window_bytes_ = 0;
};

}  // namespace fanfare::session
