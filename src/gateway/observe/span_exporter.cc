#include "gateway/observe/span_exporter.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

#include "base/guard.h"
#include "base/log.h"
#include "base/random.h"
#include "jsonrpc/value.h"
#include "upstream/url.h"

namespace fanfare::gateway {
namespace {

constexpr Duration kFirstDelay = std::chrono::seconds(1);
constexpr Duration kDelayMax = std::chrono::seconds(30);
constexpr Duration kRetryAfterMax = std::chrono::minutes(1);

trace::Resource resource_of(const TracingPlan& plan, std::string scope_version) {
  trace::Resource resource{.attributes = {{.key = "service.name", .value = plan.service_name}},
                           .scope_name = "fanfare",
                           .scope_version = scope_version};
  resource.attributes.push_back({.key = "service.version", .value = std::move(scope_version)});
  for (const auto& [key, value] : plan.attributes)
    resource.attributes.push_back({.key = key, .value = value});
  return resource;
}

double chance() {
  static thread_local SystemRandom random;
  return static_cast<double>(random.below(1001)) / 1000;
}

// partialSuccess.rejectedSpans: a 64-bit number, so JSON has it as text; some collectors send a number.
std::uint64_t rejected_in(std::string_view body) {
  if (!jsonrpc::is_valid_json(body)) return 0;
  const auto partial = jsonrpc::member(body, "partialSuccess");
  const auto rejected = partial ? jsonrpc::member(*partial, "rejectedSpans") : std::nullopt;
  if (!rejected) return 0;
  std::string_view digits = *rejected;
  if (digits.starts_with('"') && digits.size() >= 2) digits = digits.substr(1, digits.size() - 2);
  std::uint64_t count = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), count);
  return count;
}

}  // namespace

ExportVerdict judge_export(const ExportAnswer& answer) {
  using Kind = ExportVerdict::Kind;
  if (answer.status >= 200 && answer.status <= 299) {
    return {.kind = Kind::accepted, .rejected = rejected_in(answer.body)};
  }
  const bool is_for_a_while = answer.status == 0 || answer.status == 429 || answer.status == 502 ||
                              answer.status == 503 || answer.status == 504;
  return {.kind = is_for_a_while ? Kind::retry : Kind::refused};
}

Duration export_delay(std::uint32_t retry, std::optional<Duration> retry_after, double chance) {
  const Duration grown =
      std::min<Duration>(kFirstDelay * (std::int64_t{1} << std::min(retry, 10U)), kDelayMax);
  // Half of it is fixed.
  const auto spread = std::chrono::duration_cast<Duration>(grown * (0.5 + 0.5 * chance));
  return std::max(spread, std::min(retry_after.value_or(Duration::zero()), kRetryAfterMax));
}

SpanExporter::SpanExporter(const TracingPlan& plan, std::string scope_version, ObserveCells& cells, Send send)
    : plan_(plan),
      resource_(resource_of(plan, std::move(scope_version))),
      cells_(cells),
      send_(std::move(send)),
      queue_(plan.queued_spans_max),
      thread_([this] { run(); }) {}

SpanExporter::~SpanExporter() {
  {
    std::unique_lock lock(mutex_);
    closing_ = true;
    closes_.notify_all();
    queue_.close();
    ended_.wait_for(lock, kStopLimit, [this] { return has_ended_; });
  }
  stops_ = true;
  thread_.join();
}

void SpanExporter::push(trace::Span span) {
  if (!queue_.push(std::move(span))) cells_.spans_dropped[Unrecorded::queue].add();
}

void SpanExporter::run() {
  for (bool closed = false; !closed;) {
    const auto taken = queue_.take(plan_.batch_spans_max, plan_.interval);
    closed = taken.closed;
    std::span<const trace::Span> rest = taken.items;
    while (!rest.empty()) {
      const auto batch = rest.first(std::min(rest.size(), plan_.batch_spans_max));
      rest = rest.subspan(batch.size());
      if (!run_guarded("the export of spans", [&] { export_batch(batch); })) {
        cells_.spans_dropped[Unrecorded::failed].add(batch.size());
      }
    }
  }
  const std::scoped_lock lock(mutex_);
  has_ended_ = true;
  ended_.notify_all();
}

void SpanExporter::export_batch(std::span<const trace::Span> spans) {
  const std::string body = trace::otlp_json_of(resource_, spans);
  for (std::uint32_t retry = 0;; ++retry) {
    const ExportAnswer answer =
        stops_ ? ExportAnswer{.error = "the gateway is stopping"} : send_(body, stops_);
    const ExportVerdict verdict = judge_export(answer);
    if (verdict.kind == ExportVerdict::Kind::accepted) {
      const std::uint64_t rejected = std::min<std::uint64_t>(verdict.rejected, spans.size());
      cells_.spans.add(spans.size() - rejected);
      if (rejected > 0) return dropped(rejected, answer);
      if (std::exchange(is_failing_, false)) log::info("trace_export_recovered");
      return;
    }
    if (verdict.kind == ExportVerdict::Kind::refused || retry == kRetriesMax ||
        !rest(export_delay(retry, answer.retry_after, chance()))) {
      return dropped(spans.size(), answer);
    }
  }
}

bool SpanExporter::rest(Duration time) {
  std::unique_lock lock(mutex_);
  return !closes_.wait_for(lock, time, [this] { return closing_; });
}

// Once, until a batch is accepted whole.
void SpanExporter::dropped(std::uint64_t spans, const ExportAnswer& answer) {
  cells_.spans_dropped[Unrecorded::failed].add(spans);
  if (std::exchange(is_failing_, true)) return;
  log::warn("trace_export_failed", {{"endpoint", upstream::redacted(plan_.endpoint)},
                                    {"spans", spans},
                                    {"status", answer.status},
                                    {"error", log::excerpt(answer.error, 256)},
                                    {"answer", log::excerpt(answer.body, 256)}});
}

}  // namespace fanfare::gateway
