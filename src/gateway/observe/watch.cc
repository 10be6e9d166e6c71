#include "gateway/observe/watch.h"

#include <system_error>
#include <utility>

#include "gateway/observe/loop_watch.h"

namespace fanfare::gateway {
namespace {

// What is judged for each line, and not by the writer.
bool has_same_writer(const AccessLogPlan& one, const AccessLogPlan& other) {
  return one.path == other.path && one.format == other.format &&
         one.queued_lines_max == other.queued_lines_max;
}

// The same for the exporter.
bool has_same_exporter(TracingPlan one, const TracingPlan& other) {
  one.sample = other.sample;
  one.parent_based = other.parent_based;
  return one == other;
}

std::unexpected<std::string> too_many() {
  return std::unexpected(std::to_string(Watch::kOutputsMax) +
                         " access logs and exporters of traces of earlier reloads have not ended yet, reload "
                         "again in a few seconds");
}

}  // namespace

Watch::Watch(const ObservePlan& plan, Clock& clock) : plan_(plan), clock_(clock) {}
Watch::~Watch() = default;

std::expected<void, std::string> Watch::start() {
  auto recording = prepare(plan_);
  if (!recording) return std::unexpected(std::move(recording.error()));
  apply(*std::move(recording));
  return {};
}

void Watch::start_with(std::unique_ptr<LineSink> sink, SpanExporter::Send send) {
  Recording::Outputs outputs;
  if (sink != nullptr) {
    outputs.lines = endings_.share(std::make_unique<LineWriter>(plan_.access_log, std::move(sink), cells_));
  }
  if (send) {
    outputs.spans =
        endings_.share(std::make_unique<SpanExporter>(plan_.tracing, "0", cells_, std::move(send)));
  }
  apply(std::make_shared<Recording>(plan_, clock_, std::move(outputs)));
}

std::expected<RecordingPtr, std::string> Watch::prepare(const ObservePlan& plan) {
  if (!plan.is_on()) return nullptr;
  if (RecordingPtr before = now(); before != nullptr && before->plan() == plan) return before;
  auto lines = lines_for(plan.access_log);
  if (!lines) return std::unexpected(std::move(lines.error()));
  auto spans = spans_for(plan);
  if (!spans) return std::unexpected(std::move(spans.error()));
  return std::make_shared<Recording>(
      plan, clock_, Recording::Outputs{.lines = *std::move(lines), .spans = *std::move(spans)});
}

std::expected<std::shared_ptr<LineWriter>, std::string> Watch::lines_for(const AccessLogPlan& plan) {
  if (plan.path.empty()) return nullptr;
  if (const RecordingPtr before = now(); before && has_same_writer(before->plan().access_log, plan))
    return before->outputs().lines;
  if (endings_.count() >= kOutputsMax) return too_many();
  auto sink = open_line_sink(plan.path);
  if (!sink) {
    return std::unexpected("cannot open server.accessLog.path (\"" + plan.path +
                           "\"): " + std::system_category().message(sink.error()));
  }
  return endings_.share(std::make_unique<LineWriter>(plan, *std::move(sink), cells_));
}

std::expected<std::shared_ptr<SpanExporter>, std::string> Watch::spans_for(const ObservePlan& plan) {
  if (plan.tracing.endpoint.empty()) return nullptr;
  if (const RecordingPtr before = now(); before && has_same_exporter(before->plan().tracing, plan.tracing))
    return before->outputs().spans;
  if (endings_.count() >= kOutputsMax) return too_many();
  return endings_.share(
      std::make_unique<SpanExporter>(plan.tracing, plan.version, cells_, make_span_sender(plan.tracing)));
}

void Watch::apply(RecordingPtr recording) {
  const std::scoped_lock lock(mutex_);
  std::swap(now_, recording);
}

RecordingPtr Watch::now() const {
  const std::scoped_lock lock(mutex_);
  return now_;
}

void Watch::reopen_access_log() {
  if (const RecordingPtr recording = now(); recording && recording->outputs().lines)
    recording->outputs().lines->reopen();
}

LoopWatch& Watch::add_loop() {
  return *loops_.emplace_back(std::make_unique<LoopWatch>(*this));
}

}  // namespace fanfare::gateway
