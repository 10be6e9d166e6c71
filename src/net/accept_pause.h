#pragma once
// Pauses a listener that is out of descriptors or memory, since the kernel would report the same event again
// immediately. Only the first failure and the recovery are logged, not the retries in between.

#include <cerrno>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/time.h"
#include "net/os_error.h"

namespace fanfare::net {

class AcceptPause {
 public:
  static constexpr Duration kRest = std::chrono::milliseconds(100);

  // Whether `code`, the errno of an accept, means that the listener must pause. Other errors concern only the
  // connection that was about to be accepted (accept(2)).
  bool begins(const char* call, int code) {
    if (code != EMFILE && code != ENFILE && code != ENOBUFS && code != ENOMEM) return false;
    if (!std::exchange(is_resting_, true)) {
      const OsError error{.call = call, .code = code, .detail = {}};
      log::error("accept_failed",
                 {{"error", error.message()}, {"retry_ms", kRest / std::chrono::milliseconds(1)}});
    }
    return true;
  }
  // A connection was accepted.
  void end() {
    if (std::exchange(is_resting_, false)) log::info("accept_works_again");
  }

 private:
  bool is_resting_ = false;
};

}  // namespace fanfare::net
