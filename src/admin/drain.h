#pragma once
// Takes the server out of service without ending it: it reports that it is not ready, refuses upgrades, and
// closes its WebSockets with 1012 one after another over a time. It can be undone.

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "admin/subject.h"
#include "base/time.h"

namespace fanfare::admin {

struct DrainStatus {
  enum class State : std::uint8_t {
    off,
    draining,  // WebSockets are still open
    drained,
  };
  State state = State::off;
  double since_s = 0;  // how long ago it began
  double spread_s = 0;
  std::uint64_t closed = 0;  // WebSockets that it has closed
  std::uint64_t open = 0;    // WebSockets that it has still to close
};

std::string_view to_string(DrainStatus::State state);

class Drain {
 public:
  static constexpr Duration kSpreadDefault = std::chrono::seconds(30);
  static constexpr Duration kSpreadMax = std::chrono::hours(1);

  // Both must outlive it; the loops of the subject's server must have ended before it is destroyed.
  explicit Drain(Subject& subject, Clock& clock = system_clock()) : subject_(subject), clock_(clock) {}

  // Any thread. False: it has begun before; nothing changes. The reason is at most 123 bytes.
  bool begin(Duration spread, std::string_view reason);
  // New connections are welcome again; those that are still open stay. False: it had not begun.
  bool end();
  DrainStatus status() const;

 private:
  struct Run;
  class OfLoop;

  Subject& subject_;
  Clock& clock_;
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<Run> run_;  // null: off
};

}  // namespace fanfare::admin
