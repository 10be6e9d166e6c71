#pragma once
// Spans as the JSON of OTLP 1 (opentelemetry-proto, "JSON Protobuf Encoding"): the body of a POST to /v1/traces. Ids are
// hexadecimal, 64-bit numbers are strings. Pure; any thread.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trace/span.h"

namespace fanfare::trace {

// What sends the spans.
struct Resource {
  std::vector<Attribute> attributes;  // service.name and others
  std::string scope_name;
  std::string scope_version;
};

std::string otlp_json_of(const Resource& resource, std::span<const Span> spans);

}  // namespace fanfare::trace
