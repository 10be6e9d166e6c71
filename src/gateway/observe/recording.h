#pragma once
// What is recorded of requests, calls and sessions with one set of settings, and where to: the access log and the exporter of
// traces. A reload makes another one. Whatever began with this one ends with it, so nothing under way is lost or recorded twice;
// the log and the exporter end when the last of that has. Any thread; nothing here waits.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/observe/access_record.h"
#include "gateway/observe/line_writer.h"
#include "gateway/observe/plan.h"
#include "gateway/observe/span_exporter.h"
#include "http/headers.h"
#include "trace/call.h"

namespace fanfare::gateway {

class Recording final : public trace::Recorder, public std::enable_shared_from_this<Recording> {
 public:
  struct Outputs {
    std::shared_ptr<LineWriter> lines;    // null: there is no access log
    std::shared_ptr<SpanExporter> spans;  // null: there are no traces
  };
  // The clock must outlive it.
  Recording(const ObservePlan& plan, Clock& clock, Outputs outputs)
      : plan_(plan), clock_(clock), outputs_(std::move(outputs)) {}

  const ObservePlan& plan() const { return plan_; }
  const Outputs& outputs() const { return outputs_; }

  // A request with these headers. Loop thread.
  std::shared_ptr<trace::Request> begin_request(http::Headers headers, std::string address,
                                                std::string_view protocol);
  // Writes the line, if it is in the sample, slow or an error. `index` distinguishes the lines of one request.
  void write(AccessRecord record, std::string_view sampled_by, std::uint64_t index, bool is_error);

  Clock& clock() override { return clock_; }
  trace::TraceId make_trace_id() override;
  trace::SpanId make_span_id() override;
  bool traces() const override { return outputs_.spans != nullptr; }
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
  const Outputs outputs_;
};
// Null: nothing is recorded.
using RecordingPtr = std::shared_ptr<Recording>;

}  // namespace fanfare::gateway
