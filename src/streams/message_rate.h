#pragma once
// How many messages a client may send: so many in a second, and a burst of as many after a quiet second.

#include <cstdint>

#include "base/time.h"

namespace fanfare::streams {

class MessageRate {
 public:
  enum class Verdict : std::uint8_t {
    handle,
    refuse,  // the first over the limit within a second: the client is notified
    ignore,
    flood,  // ten times the limit within a second: the connection ends
  };

  // At least 1.
  explicit MessageRate(std::uint32_t per_second) : per_second_(per_second) {}

  Verdict add(Instant now);

 private:
  std::uint32_t per_second_;
  std::uint32_t in_second_ = 0;  // since second_
  bool told_ = false;            // since second_
  Instant second_{};
  Instant full_{};  // when the whole burst is allowed again
};

}  // namespace fanfare::streams
