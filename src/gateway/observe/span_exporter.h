#pragma once
// Sends finished spans to a collector: OTLP/HTTP with JSON, in batches, on a thread of its own. A span that finds the queue full,
// and one that the collector does not take after the retries that OTLP allows, is dropped and counted; never does anything
// else wait for a collector.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gateway/observe/bounded_queue.h"
#include "gateway/observe/cells.h"
#include "gateway/observe/plan.h"
#include "trace/otlp.h"
#include "trace/span.h"

namespace fanfare::gateway {

// What became of one POST.
struct ExportAnswer {
  int status = 0;                            // 0: no answer
  std::optional<Duration> retry_after = {};  // as the collector asked
  std::string body = {};                     // its first kExportAnswerBytesMax bytes
  std::string error = {};                    // without an answer: why
};
inline constexpr std::size_t kExportAnswerBytesMax = 4096;

// What follows from it (OTLP 1, "OTLP/HTTP Response").
struct ExportVerdict {
  enum class Kind : std::uint8_t { accepted, retry, refused };
  Kind kind = Kind::refused;
  std::uint64_t rejected = 0;  // of an accepted batch (partialSuccess)
};
ExportVerdict judge_export(const ExportAnswer& answer);
// Before the retry with this number, from 0: exponential, at most 30 s; what the collector asked for, if that is longer, up to a
// minute. `chance` spreads it: 0 to 1.
Duration export_delay(std::uint32_t retry, std::optional<Duration> retry_after, double chance);

class SpanExporter {
 public:
  // Sends one body; returns early if `stops` becomes true. On the exporter's thread.
  using Send = std::function<ExportAnswer(const std::string& body, const std::atomic<bool>& stops)>;
  // A further attempt after so many is not made.
  static constexpr std::uint32_t kRetriesMax = 5;
  // At the end: what waits is sent once, for at most so long.
  static constexpr Duration kStopLimit = std::chrono::seconds(2);

  // Begins at once. The cells must outlive it. `scope_version`: of this program.
  SpanExporter(const TracingPlan& plan, std::string scope_version, ObserveCells& cells, Send send);
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;
  ~SpanExporter();

  // Any thread; never waits.
  void push(trace::Span span);

 private:
  void run();
  void export_batch(std::span<const trace::Span> spans);
  // False: the exporter ends.
  bool rest(Duration time);
  void dropped(std::uint64_t spans, const ExportAnswer& answer);

  const TracingPlan plan_;
  const trace::Resource resource_;
  ObserveCells& cells_;
  const Send send_;
  BoundedQueue<trace::Span> queue_;
  std::mutex mutex_;  // guards closing_
  std::condition_variable closes_;
  bool closing_ = false;
  std::atomic<bool> stops_ = false;  // sends end
  bool is_failing_ = false;          // of the thread: the last batch was dropped
  std::condition_variable ended_;    // with mutex_
  bool has_ended_ = false;
  std::thread thread_;  // last: it uses everything above
};

// POSTs over HTTP or HTTPS with these settings (span_sender.cc).
SpanExporter::Send make_span_sender(const TracingPlan& plan);

}  // namespace fanfare::gateway
