#pragma once
// One run: everything that its parts have in common. There is one at a time.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/random.h"
#include "fanfare/topic.h"
#include "fleet_time.h"

namespace fanfare::fleet {

class Broker;
class Oracle;

// A fault that is put in on purpose: the simulation must find it.
enum class Planted : std::uint8_t {
  none,
  resume_skips_one,  // an instance resumes a client one event too late
  lease_unchecked,   // the broker writes a lease whatever its revision
  relay_forgets,     // the relay loses the first event after a reconnection
  silent_gap,        // a client is not told that it misses something
  no_deduplication,  // the broker stores what is sent again a second time
  times_alike,       // the broker says the same time of all events, so no relay finds that one was replaced
  cursor_skips,      // a chain client that resumes does not get the first notification
};

// What happened, as lines. They are printed if somebody wants to read them; the last ones are kept, and a checksum of all.
class Trace {
 public:
  explicit Trace(bool talks) : talks_(talks) {}
  void tell(std::string_view who, std::string_view what);
  std::uint64_t checksum() const { return checksum_; }
  const std::deque<std::string>& last() const { return last_; }

  static constexpr std::size_t kLastMax = 40;

 private:
  const bool talks_;
  std::uint64_t checksum_ = 0xcbf29ce484222325;
  std::deque<std::string> last_;
};

struct World {
  World(std::uint64_t its_seed, bool talks, Planted fault);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // The run ends, because this does not hold. The first one counts.
  void fail(const std::string& what);
  bool has_failed() const { return !failure.empty(); }
  // Everything that happens until then, or until something fails.
  void run_for(Duration time);
  // One in so many.
  bool one_in(std::uint64_t times) { return random.below(times) == 0; }
  Duration between(Duration least, Duration most) {
    const auto range = static_cast<std::uint64_t>((most - least) / std::chrono::microseconds(1));
    return least + std::chrono::microseconds(random.below(range + 1));
  }

  const std::uint64_t seed;
  const Planted planted;
  Time time;
  SeededRandom random;
  Trace trace;
  std::string failure;
  std::unique_ptr<Oracle> oracle;
  std::unique_ptr<Broker> broker;
  std::uint64_t processes = 0;
};

// The one under way.
World& world();

template <typename... Parts>
std::string line(const Parts&... parts) {
  std::string text;
  const auto add = [&]<typename Part>(const Part& part) {
    if constexpr (std::is_arithmetic_v<Part>) {
      text += std::to_string(part);
    } else {
      text += part;
    }
  };
  (add(parts), ...);
  return text;
}

inline std::string text_of(Position at) {
  return line(at.epoch % 10'000, "-", at.offset);
}

inline void tell(std::string_view who, std::string_view what) {
  world().trace.tell(who, what);
}

}  // namespace fanfare::fleet
