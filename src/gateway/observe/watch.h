#pragma once
// What is recorded now: a Recording, which a reload replaces. One for the process; LoopWatch is its part on one loop.

#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gateway/observe/cells.h"
#include "gateway/observe/endings.h"
#include "gateway/observe/line_writer.h"
#include "gateway/observe/plan.h"
#include "gateway/observe/recording.h"
#include "gateway/observe/span_exporter.h"

namespace fanfare::gateway {

class LoopWatch;

class Watch {
 public:
  // Access logs and exporters, also of earlier plans, that have not ended yet. A reload that needs one more is refused.
  static constexpr std::size_t kOutputsMax = 8;

  explicit Watch(const ObservePlan& plan, Clock& clock = system_clock());
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  // Writes and exports everything that is queued. When it is called, no request or call may be under way, since each has a recording.
  ~Watch();

  // Opens the access log, and begins to export. The error is for the operator.
  std::expected<void, std::string> start();
  // In place of start(), for tests.
  void start_with(std::unique_ptr<LineSink> sink, SpanExporter::Send send);

  // What another plan records, on the thread of start(). The log and the exporter go on if their own settings are the same. Without
  // apply() nothing has changed. The error is for the operator.
  std::expected<RecordingPtr, std::string> prepare(const ObservePlan& plan);
  // From now on; each loop follows with LoopWatch::switch_over().
  void apply(RecordingPtr recording);
  // Any thread.
  RecordingPtr now() const;

  // After a rename of the file. Any thread.
  void reopen_access_log();
  // The loop's own part, valid as long as this object. Loops are started one after the other.
  LoopWatch& add_loop();
  const ObserveCells& cells() const { return cells_; }

 private:
  std::expected<std::shared_ptr<LineWriter>, std::string> lines_for(const AccessLogPlan& plan);
  std::expected<std::shared_ptr<SpanExporter>, std::string> spans_for(const ObservePlan& plan);

  const ObservePlan plan_;  // of the start
  Clock& clock_;
  ObserveCells cells_;
  Endings endings_;
  mutable std::mutex mutex_;  // guards now_
  RecordingPtr now_;
  std::vector<std::unique_ptr<LoopWatch>> loops_;
};

}  // namespace fanfare::gateway
