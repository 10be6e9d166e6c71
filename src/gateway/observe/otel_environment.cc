#include "gateway/observe/otel_environment.h"

#include <algorithm>
#include <charconv>

#include "gateway/config_endpoint.h"
#include "http/headers.h"

namespace fanfare::gateway {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string_view trimmed(std::string_view text) {
  return http::trim_space(text);
}

// Percent-encoded, as in W3C Baggage. A '%' that begins no code stays.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    if (text[i] == '%' && i + 3 <= text.size()) {
      const auto read = std::from_chars(text.data() + i + 1, text.data() + i + 3, code, 16);
      if (read.ec == std::errc() && read.ptr == text.data() + i + 3) {
        out += static_cast<char>(code);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::optional<std::uint64_t> parse_count(std::string_view text, std::uint64_t min, std::uint64_t max) {
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || value < min || value > max) {
    return std::nullopt;
  }
  return value;
}

class OtelVariables {
 public:
  explicit OtelVariables(const EnvironmentLookup& environment) : environment_(environment) {}

  // The value and the name of the first variable that is set.
  struct Found {
    std::string name;
    std::string value;
  };
  std::optional<Found> find(std::initializer_list<std::string_view> names) const {
    for (const std::string_view name : names) {
      auto value = environment_(name);
      if (value && !trimmed(*value).empty()) return Found{std::string(name), std::string(trimmed(*value))};
    }
    return std::nullopt;
  }
  void wrong(const std::string& name, std::string_view what) {
    if (problem_.empty()) problem_ = name + " " + std::string(what);
  }
  template <typename Take>
  void count(std::initializer_list<std::string_view> names, std::uint64_t min, std::uint64_t max, Take take) {
    const auto found = find(names);
    if (!found) return;
    if (const auto value = parse_count(found->value, min, max)) return take(*value);
    wrong(found->name, "is out of range, expected " + std::to_string(min) + " to " + std::to_string(max));
  }
  void pairs(std::initializer_list<std::string_view> names, Pairs& out) {
    const auto found = find(names);
    if (!found) return;
    if (auto read = parse_pairs(found->value)) {
      out = *std::move(read);
    } else {
      wrong(found->name, "is malformed, expected name=value,name=value");
    }
  }
  std::expected<void, std::string> result() const {
    if (problem_.empty()) return {};
    return std::unexpected(problem_);
  }

 private:
  const EnvironmentLookup& environment_;
  std::string problem_;
};

void read_endpoint(OtelVariables& reader, TracingPlan& out) {
  auto found = reader.find({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"});
  if (!found) {
    found = reader.find({"OTEL_EXPORTER_OTLP_ENDPOINT"});
    if (!found) return;
    found->value += found->value.ends_with('/') ? "v1/traces" : "/v1/traces";
  }
  const bool is_http = found->value.starts_with("http://") || found->value.starts_with("https://");
  if (!is_http || !check_endpoint(found->value)) {
    return reader.wrong(found->name, "is no URL, expected http:// or https:// followed by a host");
  }
  out.endpoint = found->value;
}

void read_sampler(OtelVariables& reader, TracingPlan& out) {
  const auto sampler = reader.find({"OTEL_TRACES_SAMPLER"});
  const auto argument = reader.find({"OTEL_TRACES_SAMPLER_ARG"});
  if (!sampler) return;
  std::string_view name = sampler->value;
  out.parent_based = name.starts_with("parentbased_");
  if (out.parent_based) name.remove_prefix(std::string_view("parentbased_").size());
  if (name == "always_on") {
    out.sample = 1;
  } else if (name == "always_off") {
    out.sample = 0;
  } else if (name == "traceidratio") {
    out.sample = 1;
    if (!argument) return;
    const auto ratio = parse_ratio(argument->value);
    if (!ratio)
      return reader.wrong(argument->name, "is not a part of a whole, expected a number from 0 to 1");
    out.sample = *ratio;
  } else {
    reader.wrong(
        sampler->name,
        "is unknown, expected always_on, always_off or traceidratio, or one of these after parentbased_");
  }
}

}  // namespace

std::optional<double> parse_ratio(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  if (!(value >= 0 && value <= 1)) return std::nullopt;
  return value;
}

std::optional<std::vector<std::pair<std::string, std::string>>> parse_pairs(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view pair = trimmed(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || trimmed(pair.substr(0, equals)).empty()) return std::nullopt;
    pairs.emplace_back(trimmed(pair.substr(0, equals)), decoded(trimmed(pair.substr(equals + 1))));
  }
  return pairs;
}

bool are_fields(const std::vector<std::pair<std::string, std::string>>& pairs) {
  return std::ranges::all_of(pairs, [](const auto& pair) {
    return http::is_token(pair.first) && http::is_header_value(pair.second);
  });
}

std::expected<void, std::string> read_otel_environment(const EnvironmentLookup& environment,
                                                       TracingPlan& out) {
  OtelVariables reader(environment);
  const auto disabled = reader.find({"OTEL_SDK_DISABLED"});
  const auto exporter = reader.find({"OTEL_TRACES_EXPORTER"});
  if ((disabled && http::equals_ignoring_case(disabled->value, "true")) ||
      (exporter && exporter->value == "none")) {
    out.endpoint.clear();
    return {};
  }
  read_endpoint(reader, out);
  // Variables that are meant for other programs do not keep a gateway from starting that exports nothing.
  if (out.endpoint.empty()) return reader.result();
  // http/protobuf is the default of most programs; its port takes JSON, too.
  const auto protocol = reader.find({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"});
  if (protocol && protocol->value == "grpc") {
    reader.wrong(protocol->name, "is grpc, expected http/json, with the collector's HTTP port (4318)");
  }
  reader.pairs({"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"}, out.headers);
  if (!are_fields(out.headers)) {
    reader.wrong("OTEL_EXPORTER_OTLP_HEADERS", "has a field that cannot be sent");
  }
  reader.pairs({"OTEL_RESOURCE_ATTRIBUTES"}, out.attributes);
  std::erase_if(out.attributes, [&](const auto& pair) {
    if (pair.first != "service.name") return false;
    out.service_name = pair.second;
    return true;
  });
  if (const auto name = reader.find({"OTEL_SERVICE_NAME"})) out.service_name = name->value;
  read_sampler(reader, out);
  const auto milliseconds = [](Duration& to) {
    return [&to](std::uint64_t value) { to = std::chrono::milliseconds(value); };
  };
  reader.count({"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"}, 1, 600'000,
               milliseconds(out.timeout));
  reader.count({"OTEL_BSP_SCHEDULE_DELAY"}, 1, 3'600'000, milliseconds(out.interval));
  reader.count({"OTEL_BSP_MAX_QUEUE_SIZE"}, 1, kQueuedSpansMax,
               [&](auto value) { out.queued_spans_max = value; });
  reader.count({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE"}, 1, kBatchSpansMax,
               [&](auto value) { out.batch_spans_max = value; });
  return reader.result();
}

}  // namespace fanfare::gateway
