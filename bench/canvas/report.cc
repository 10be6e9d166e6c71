#include "canvas/report.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace fanfare::bench::canvas {

Options options_of(std::span<char*> arguments) {
  Options options;
  if (arguments.size() < 2) give_up("usage: canvas_load PORT [viewers=N] ...");
  options.port = static_cast<std::uint16_t>(std::atoi(arguments[1]));
  for (const std::string_view argument : arguments.subspan(2)) {
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const std::string value(equals == std::string_view::npos ? "" : argument.substr(equals + 1));
    const auto number = static_cast<std::uint32_t>(std::strtoul(value.c_str(), nullptr, 10));
    if (name == "viewers")
      options.viewers = number;
    else if (name == "drawers")
      options.drawers = number;
    else if (name == "rate")
      options.rate = number;
    else if (name == "batch")
      options.batch = std::clamp(number, 1U, 4096U);
    else if (name == "cursors")
      options.cursors = number;
    else if (name == "cursorrate")
      options.cursor_rate = number;
    else if (name == "seconds")
      options.seconds = number;
    else if (name == "returns")
      options.returns = number;
    else if (name == "path")
      options.path = value;
    else if (name == "seed")
      options.seed = number;
    else if (name == "watch")
      std::sscanf(value.c_str(), "%u,%u,%u,%u", &options.watch[0], &options.watch[1], &options.watch[2],
                  &options.watch[3]);
    else
      give_up("there is no option " + std::string(name));
  }
  return options;
}

void Spread::add(std::int64_t ns, std::uint64_t weight) {
  counts_[std::min(static_cast<std::size_t>(std::max<std::int64_t>(ns, 0) / kBucketNs), kBuckets - 1)] +=
      weight;
  total_ += weight;
}

double Spread::ms(double share) const {
  auto left = static_cast<std::uint64_t>(static_cast<double>(total_) * share);
  std::size_t last = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (counts_[i] == 0) continue;
    last = i;
    if (counts_[i] > left) break;
    left -= counts_[i];
  }
  return static_cast<double>(last + 1) * static_cast<double>(kBucketNs) * 1e-6;
}

void Report::print(const Options& options) const {
  const Faults& faults = truth.faults;
  std::string line = "{\"seconds\":" + std::to_string(elapsed) + ",\"cpu\":" + std::to_string(cpu);
  const auto whole = [&](std::string_view name, std::uint64_t value) {
    line += ",\"" + std::string(name) + "\":" + std::to_string(value);
  };
  const auto delay = [&](std::string_view name, double ms) {
    line += ",\"" + std::string(name) + "\":" + std::to_string(ms);
  };
  whole("viewers", options.viewers);
  whole("sent", counts.sent);
  whole("accepted", counts.accepted);
  whole("refused", counts.refused);
  whole("acks", counts.acks);
  whole("frames", counts.frames);
  whole("pixels", counts.pixels);
  whole("pixels_timed", delays.total());
  delay("p50_ms", delays.ms(0.5));
  delay("p99_ms", delays.ms(0.99));
  delay("max_ms", delays.ms(1));
  delay("ack_p50_ms", ack_delays.ms(0.5));
  delay("ack_p99_ms", ack_delays.ms(0.99));
  whole("bytes", bytes);
  whole("tick_bytes", counts.tick_bytes);
  whole("cursors", counts.cursors);
  whole("cursor_bytes", counts.cursor_bytes);
  whole("chunks", counts.chunks);
  whole("fetches", counts.fetches);
  whole("returned", counts.returned);
  whole("lost", counts.lost);
  whole("errors", counts.errors);
  whole("last_error", counts.last_error);
  whole("malformed", faults.malformed);
  whole("wrong_hash", faults.wrong_hash);
  whole("diverged", faults.diverged);
  whole("gap", faults.gap);
  whole("twice", faults.twice);
  whole("behind", behind);
  whole("frames_decoded", truth.frames_decoded);
  whole("unchecked", truth.sections_unchecked);
  std::printf("%s}\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace fanfare::bench::canvas
