#pragma once
// Decides what is recorded of each request, call and session, and passes it on to the access log and the exporter of traces. One
// for the process; LoopWatch is its part on one loop. Nothing here waits.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/observe/access_record.h"
#include "gateway/observe/cells.h"
#include "gateway/observe/line_writer.h"
#include "gateway/observe/plan.h"
#include "gateway/observe/span_exporter.h"
#include "http/headers.h"
#include "trace/call.h"

namespace fanfare::gateway {

class LoopWatch;

class Watch final : public trace::Recorder {
 public:
  explicit Watch(const ObservePlan& plan, Clock& clock = system_clock());
  ~Watch() override;

  // Opens the access log, and begins to export. The error is for the operator.
  std::expected<void, std::string> start();
  // In place of start(), for tests.
  void start_with(std::unique_ptr<LineSink> sink, SpanExporter::Send send);
  // After a rename of the file. Any thread.
  void reopen_access_log();
  // The loop's own part, valid as long as this object; null: nothing is recorded. Loops are started one after the other.
  LoopWatch* add_loop();

  // A request with these headers. Loop thread.
  std::shared_ptr<trace::Request> begin_request(http::Headers headers, std::string address,
                                                std::string_view protocol);
  // Writes the line, if it is in the sample, slow or an error. `index` distinguishes the lines of one request.
  void write(AccessRecord record, std::string_view sampled_by, std::uint64_t index, bool is_error);
  const ObserveCells& cells() const { return cells_; }

  Clock& clock() override { return clock_; }
  trace::TraceId make_trace_id() override;
  trace::SpanId make_span_id() override;
  bool traces() const override { return exporter_ != nullptr; }
  bool samples(const trace::TraceId& id) const override;
  void call_ended(const trace::Call& call, const trace::CallEnd& end) override;
  void span_ended(trace::Span span) override;

 private:
  bool trusts(std::string_view address) const;
  bool is_kept(const AccessRecord& record, std::string_view sampled_by, std::uint64_t index,
               bool is_error) const;
  void write_call(const trace::Call& call, const trace::CallEnd& end, Duration took);
  void export_call(const trace::Call& call, const trace::CallEnd& end, Duration took);

  const ObservePlan plan_;
  Clock& clock_;
  ObserveCells cells_;
  std::vector<std::unique_ptr<LoopWatch>> loops_;
  std::unique_ptr<LineWriter> writer_;      // null: there is no access log
  std::unique_ptr<SpanExporter> exporter_;  // null: there are no traces
};

}  // namespace fanfare::gateway
