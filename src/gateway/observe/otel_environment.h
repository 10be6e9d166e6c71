#pragma once
// The variables that OpenTelemetry defines for every program, as far as this one has such a setting. They override the file,
// as other variables do:
//
//   OTEL_SDK_DISABLED=true                    no traces
//   OTEL_TRACES_EXPORTER=none                 no traces
//   OTEL_EXPORTER_OTLP_[TRACES_]PROTOCOL      grpc is refused; it is always http/json
//   OTEL_EXPORTER_OTLP_TRACES_ENDPOINT        the whole URL
//   OTEL_EXPORTER_OTLP_ENDPOINT               to which v1/traces is added
//   OTEL_EXPORTER_OTLP_[TRACES_]HEADERS       name=value,name=value; percent-encoded values
//   OTEL_EXPORTER_OTLP_[TRACES_]TIMEOUT       milliseconds
//   OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
//   OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG
//   OTEL_BSP_SCHEDULE_DELAY, OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_EXPORT_BATCH_SIZE

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/config_env.h"
#include "gateway/observe/plan.h"

namespace fanfare::gateway {

// Sets what is given. An empty variable counts as unset. The error names the variable, and never shows a value that may be
// secret.
std::expected<void, std::string> read_otel_environment(const EnvironmentLookup& environment,
                                                       TracingPlan& out);

// From 0 to 1, with a point. Empty: it is none.
std::optional<double> parse_ratio(std::string_view text);
// "name=value,name=value". Empty: it is not of this form.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_pairs(std::string_view text);

// Whether these can be sent as fields of a header.
bool are_fields(const std::vector<std::pair<std::string, std::string>>& pairs);

// Limits of the settings, also of those in the file.
inline constexpr std::size_t kBatchSpansMax = 10'000;
inline constexpr std::size_t kQueuedSpansMax = 1'000'000;

}  // namespace fanfare::gateway
