#pragma once
// What a run of the load is asked to do, what it counts, and the line of JSON that it prints.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "canvas/truth.h"

namespace fanfare::bench::canvas {

struct Options {
  std::uint16_t port = 0;
  std::uint32_t viewers = 100;
  std::uint32_t drawers = 100;
  std::uint32_t rate = 1000;
  std::uint32_t batch = 1;  // pixels of a message
  std::uint32_t cursors = 0;
  std::uint32_t cursor_rate = 10;
  std::uint32_t seconds = 5;
  std::uint32_t returns = 0;
  std::array<std::uint32_t, 4> watch = {0, 0, 255, 255};
  std::string path = "/canvas/main";
  std::uint32_t seed = 1;
};

// Gives up on one that does not exist. The first argument is the program's name.
Options options_of(std::span<char*> arguments);

// A histogram of delays, in steps of 50 µs up to 10 s.
class Spread {
 public:
  void add(std::int64_t ns, std::uint64_t weight);
  // The delay that this share of all is not above, in milliseconds.
  double ms(double share) const;
  std::uint64_t total() const { return total_; }

 private:
  static constexpr std::size_t kBuckets = 200'000;
  static constexpr std::int64_t kBucketNs = 50'000;
  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(kBuckets);
  std::uint64_t total_ = 0;
};

struct Counts {
  std::uint64_t frames = 0;
  std::uint64_t pixels = 0;      // delivered to viewers
  std::uint64_t tick_bytes = 0;  // of the frames that had them
  std::uint64_t cursors = 0;
  std::uint64_t cursor_bytes = 0;
  std::uint64_t sent = 0;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::uint64_t acks = 0;
  std::uint64_t chunks = 0;
  std::uint64_t fetches = 0;
  std::uint64_t returned = 0;
  std::uint64_t lost = 0;  // connections that the server ended
  std::uint64_t errors = 0;
  std::uint64_t last_error = 0;
};

struct Report {
  double elapsed = 0;
  double cpu = 0;  // seconds of this program
  std::uint64_t bytes = 0;
  std::uint64_t behind = 0;  // viewers that do not have the server's versions
  const Counts& counts;
  const Truth& truth;
  const Spread& delays;
  const Spread& ack_delays;

  void print(const Options& options) const;
};

}  // namespace fanfare::bench::canvas
