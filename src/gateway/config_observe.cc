#include "gateway/config_observe.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "gateway/config_endpoint.h"
#include "gateway/observe/otel_environment.h"

namespace fanfare::gateway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::array<std::string_view, 2> kFormats{"text", "json"};

void read_format(const MapFields& fields, std::string_view key, log::Format& out) {
  if (const auto word = fields.read_word(key, kFormats)) {
    out = *word == 1 ? log::Format::json : log::Format::text;
  }
}

void read_ratio(const MapFields& fields, std::string_view key, double& out) {
  constexpr std::string_view kExpected = "a number from 0 to 1, such as 0.01";
  const auto scalar = fields.scalar(key, kExpected);
  if (!scalar) return;
  if (const auto ratio = parse_ratio(scalar->text)) {
    out = *ratio;
  } else {
    fields.report(scalar->location, key, "is not a part of a whole", scalar->written, kExpected);
  }
}

void read_access_log(const ReadContext& context, const YamlNode& node, AccessLogPlan& out) {
  const MapFields fields(context, node, "server.accessLog",
                         {"path", "format", "sample", "slowerThan", "errors", "queueLines"},
                         MapFields::Empty::refused);
  fields.require({"path"});
  fields.read("path", out.path);
  read_format(fields, "format", out.format);
  read_ratio(fields, "sample", out.sample);
  fields.read("slowerThan", out.slower_than, Duration::zero(), hours(1));
  static constexpr std::array<std::string_view, 2> kErrors{"all", "sampled"};
  if (const auto word = fields.read_word("errors", kErrors)) {
    out.errors = *word == 0 ? AccessLogPlan::Errors::all : AccessLogPlan::Errors::sampled;
  }
  fields.read("queueLines", out.queued_lines_max, 16, 1'000'000);
}

void read_request_ids(const ReadContext& context, const YamlNode& node, ObservePlan& out) {
  const MapFields fields(context, node, "server.requestIds", {"enabled", "trust"});
  fields.read("enabled", out.request_ids);
  static constexpr std::array<std::string_view, 3> kTrusted{"none", "loopback", "all"};
  if (const auto word = fields.read_word("trust", kTrusted)) {
    out.trusted = static_cast<TrustedClients>(*word);
  }
}

// The pairs of OTEL_EXPORTER_OTLP_HEADERS and the like, in one text: it may come from a variable as a whole.
void read_pairs(const MapFields& fields, std::string_view key,
                std::vector<std::pair<std::string, std::string>>& out) {
  constexpr std::string_view kExpected = "name=value,name=value";
  const auto scalar = fields.scalar(key, kExpected);
  if (!scalar) return;
  auto pairs = parse_pairs(scalar->text);
  // It may be secret.
  if (!pairs) return fields.report(scalar->location, key, "is malformed", "", kExpected);
  out = *std::move(pairs);
}

void read_exporter(const ReadContext& context, const YamlNode& node, TracingPlan& out) {
  const MapFields fields(context, node, "tracing",
                         {"endpoint", "headers", "serviceName", "attributes", "sample", "parentBased",
                          "timeout", "interval", "batchSpans", "queueSpans"},
                         MapFields::Empty::refused);
  constexpr std::string_view kUrl =
      "http:// or https:// followed by a host, such as http://localhost:4318/v1/traces";
  fields.require({"endpoint"});
  if (const auto endpoint = fields.scalar("endpoint", kUrl)) {
    const auto good = check_endpoint(endpoint->text);
    if (!good || is_websocket_endpoint(endpoint->text)) {
      fields.report(endpoint->location, "endpoint", "is no URL of a collector",
                    endpoint_for_message(endpoint->written), kUrl);
    } else {
      out.endpoint = endpoint->text;
    }
  }
  read_pairs(fields, "headers", out.headers);
  if (!are_fields(out.headers)) {
    fields.report(fields.find("headers")->location, "headers", "has a field that cannot be sent", "",
                  "name=value,name=value");
  }
  fields.read("serviceName", out.service_name);
  read_pairs(fields, "attributes", out.attributes);
  read_ratio(fields, "sample", out.sample);
  fields.read("parentBased", out.parent_based);
  fields.read("timeout", out.timeout, milliseconds(1), minutes(10));
  fields.read("interval", out.interval, milliseconds(1), hours(1));
  fields.read("batchSpans", out.batch_spans_max, 1, kBatchSpansMax);
  fields.read("queueSpans", out.queued_spans_max, 1, kQueuedSpansMax);
}

}  // namespace

void read_observe(const ReadContext& context, const MapFields& server, ObservePlan& out) {
  if (const YamlNode* log = server.find("accessLog")) read_access_log(context, *log, out.access_log);
  if (const YamlNode* ids = server.find("requestIds")) read_request_ids(context, *ids, out);
}

void read_tracing(const ReadContext& context, const MapFields& file, ObservePlan& out) {
  read_format(file, "logFormat", out.log_format);
  if (const YamlNode* tracing = file.find("tracing")) read_exporter(context, *tracing, out.tracing);
}

}  // namespace fanfare::gateway
