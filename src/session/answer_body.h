#pragma once
// The writer of a response body in pieces, as seen by HttpConnection. The connection owns the object, and calls
// and destroys it on the loop's thread.

namespace fanfare::session {

class HttpConnection;

class AnswerBody {
 public:
  AnswerBody() = default;
  // The response has ended, was aborted, or lost its connection.
  virtual ~AnswerBody() = default;
  AnswerBody(const AnswerBody&) = delete;
  AnswerBody& operator=(const AnswerBody&) = delete;

  // The client has accepted everything written so far; write more now. First called soon after the head was
  // queued, then once after each write.
  virtual void on_writable(HttpConnection& connection) = 0;
  // The server stops: a response of unknown length must end here, or it is cut off at the deadline.
  virtual void on_shut_down(HttpConnection&) {}
};

}  // namespace fanfare::session
