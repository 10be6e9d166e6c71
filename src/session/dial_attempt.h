#pragma once
// One connection that is being established, as a race sees it (dial_race.h).

namespace fanfare::session {

class DialAttempt {
 public:
  DialAttempt() = default;
  virtual ~DialAttempt() = default;
  DialAttempt(const DialAttempt&) = delete;
  DialAttempt& operator=(const DialAttempt&) = delete;

  // Gives it up. The race gets no more calls about it.
  virtual void close() = 0;
};

}  // namespace fanfare::session
