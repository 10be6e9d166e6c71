#pragma once
// Formats a benchmark's result as text and as JSON.

#include <string>

#include "bench/load.h"

namespace fanfare::app {

// "950 ns", "12.3 us", "4.56 ms", "1.20 s"
std::string format_latency(std::uint64_t nanoseconds);

// Several lines.
std::string bench_text(const BenchResult& result);
// One line: loop, connections, seconds, own_cpu_seconds, messages, messages_per_second, bytes, unanswered,
// lost, wrong and latency_ns with p50, p90, p99, p99_9, p99_99 and max; after broadcasts also broadcasts and
// to_all_ns.
std::string bench_json(const BenchResult& result, std::size_t connections);
// One line, while it runs.
std::string bench_progress(const BenchProgress& progress, const BenchProgress& before);

}  // namespace fanfare::app
