#include "bench/report.h"

#include <array>
#include <cstdio>
#include <string_view>

namespace fanfare::app {
namespace {

struct Share {
  std::string_view text;
  std::string_view json;
  double share;
};
constexpr std::array kShares{Share{.text = "p50", .json = "p50", .share = 0.5},
                             Share{.text = "p90", .json = "p90", .share = 0.9},
                             Share{.text = "p99", .json = "p99", .share = 0.99},
                             Share{.text = "p99.9", .json = "p99_9", .share = 0.999},
                             Share{.text = "p99.99", .json = "p99_99", .share = 0.9999}};

std::string fixed(double value, int digits) {
  std::array<char, 64> text;
  const int size = std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return {text.data(), static_cast<std::size_t>(size)};
}

double seconds_of(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

double cores_of(const BenchResult& result) {
  return result.elapsed > Duration::zero() ? seconds_of(result.cpu) / seconds_of(result.elapsed) : 0;
}

double per_second(std::uint64_t count, Duration elapsed) {
  return elapsed > Duration::zero() ? static_cast<double>(count) / seconds_of(elapsed) : 0;
}

std::string latency_text(const Histogram& latency) {
  std::string text;
  for (const Share& each : kShares) {
    text.append(each.text).append(" ").append(format_latency(latency.at(each.share))).append("  ");
  }
  return text + "max " + format_latency(latency.max()) + "\n";
}

std::string latency_json(const Histogram& latency) {
  std::string text = "{";
  for (const Share& each : kShares) {
    text.append("\"").append(each.json).append("\":");
    text.append(std::to_string(latency.at(each.share))).append(",");
  }
  return text + R"("max":)" + std::to_string(latency.max()) + "}";
}

}  // namespace

std::string format_latency(std::uint64_t nanoseconds) {
  const auto value = static_cast<double>(nanoseconds);
  if (nanoseconds < 1000) return std::to_string(nanoseconds) + " ns";
  if (nanoseconds < 1'000'000) return fixed(value / 1e3, 1) + " us";
  if (nanoseconds < 1'000'000'000) return fixed(value / 1e6, 2) + " ms";
  return fixed(value / 1e9, 2) + " s";
}

std::string bench_text(const BenchResult& result) {
  std::string text(result.unit);
  text.append(12 - result.unit.size(), ' ');
  text += std::to_string(result.messages) + " in " + fixed(seconds_of(result.elapsed), 2) + " s, " +
          fixed(per_second(result.messages, result.elapsed), 0) + " a second\n";
  text += "received    " + fixed(per_second(result.bytes, result.elapsed) / 1e6, 2) + " MB/s\n";
  text += "latency     " + latency_text(result.latency);
  if (result.to_all.count() > 0) {
    text += "broadcasts  " + std::to_string(result.broadcasts) + "\n";
    text += "to all      " + latency_text(result.to_all);
  }
  text += "errors      " + std::to_string(result.lost) + " connections lost, " +
          std::to_string(result.wrong) + " wrong answers, " + std::to_string(result.unanswered) +
          " unanswered\n";
  text += "own CPU     " + fixed(100 * cores_of(result), 0) + " % of a core, over ";
  text.append(result.loop).append("\n");
  return text;
}

std::string bench_json(const BenchResult& result, std::size_t connections) {
  std::string text = R"({"loop":")" + std::string(result.loop) + R"(","connections":)" +
                     std::to_string(connections) + R"(,"seconds":)" + fixed(seconds_of(result.elapsed), 3) +
                     R"(,"own_cpu_seconds":)" + fixed(seconds_of(result.cpu), 3) + R"(,"messages":)" +
                     std::to_string(result.messages) + R"(,"messages_per_second":)" +
                     fixed(per_second(result.messages, result.elapsed), 1) + R"(,"bytes":)" +
                     std::to_string(result.bytes) + R"(,"unanswered":)" + std::to_string(result.unanswered) +
                     R"(,"lost":)" + std::to_string(result.lost) + R"(,"wrong":)" +
                     std::to_string(result.wrong) + R"(,"latency_ns":)" + latency_json(result.latency);
  if (result.to_all.count() > 0) {
    text += R"(,"broadcasts":)" + std::to_string(result.broadcasts) + R"(,"to_all_ns":)" +
            latency_json(result.to_all);
  }
  return text + "}\n";
}

std::string bench_progress(const BenchProgress& progress, const BenchProgress& before) {
  const double rate = per_second(progress.messages - before.messages, progress.elapsed - before.elapsed);
  return fixed(seconds_of(progress.elapsed), 0) + " s  " + fixed(rate, 0) + " " + std::string(progress.unit) +
         "/s  p50 " + format_latency(progress.latency.at(0.5)) + "  p99 " +
         format_latency(progress.latency.at(0.99)) + "\n";
}

}  // namespace fanfare::app
