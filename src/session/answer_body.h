#pragma once
// An answer whose body comes in pieces: what ServerSession needs of whoever writes it. The object belongs to
// the session, and is called and destroyed on the loop's thread.

namespace fanfare::session {

class ServerSession;

class AnswerBody {
 public:
  AnswerBody() = default;
  // The answer is over: ended, aborted, or its connection is gone.
  virtual ~AnswerBody() = default;
  AnswerBody(const AnswerBody&) = delete;
  AnswerBody& operator=(const AnswerBody&) = delete;

  // The client has taken all that was written so far: time to write more. Called the first time soon after
  // the head was queued, and then once after each time that something was written.
  virtual void on_writable(ServerSession& session) = 0;
  // The server stops: an answer without an end of its own ends here, or is cut off at the deadline.
  virtual void on_shut_down(ServerSession&) {}
};

}  // namespace fanfare::session
