#pragma once
// For tests: keeps what has ended.

#include <memory>
#include <string>
#include <vector>

#include "trace/call.h"

namespace fanfare::trace {

class TestRecorder final : public Recorder {
 public:
  struct Ended {
    std::string method;
    std::string id;
    std::string node;
    std::uint32_t attempts = 0;
    bool is_cached = false;
    bool is_shared = false;
    CallEnd end;
    Context context;
  };

  // For a request, which this object must outlive.
  std::shared_ptr<Recorder> shared() { return {std::shared_ptr<void>(), this}; }

  Clock& clock() override { return time; }
  TraceId make_trace_id() override {
    TraceId id;
    id.bytes.back() = ++last_trace;
    return id;
  }
  SpanId make_span_id() override {
    SpanId id;
    id.bytes.back() = ++last_span;
    return id;
  }
  bool traces() const override { return is_tracing; }
  bool samples(const TraceId&) const override { return is_sampling; }
  void call_ended(const Call& call, const CallEnd& end) override {
    calls.push_back({.method = call.method(),
                     .id = call.id(),
                     .node = call.node(),
                     .attempts = call.attempts(),
                     .is_cached = call.is_cached(),
                     .is_shared = call.shared_with() != nullptr,
                     .end = end,
                     .context = call.context()});
  }
  void span_ended(Span span) override { spans.push_back(std::move(span)); }

  ManualClock time;
  bool is_tracing = true;
  bool is_sampling = true;
  std::uint8_t last_trace = 0;
  std::uint8_t last_span = 0;
  std::vector<Ended> calls;
  std::vector<Span> spans;
};

}  // namespace fanfare::trace
