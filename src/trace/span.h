#pragma once
// A finished span: something that a program did within a trace, as OpenTelemetry exports it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "trace/context.h"

namespace fanfare::trace {

struct Attribute {
  std::string key;
  std::variant<std::string, std::int64_t, bool> value;
};

struct Link {
  TraceId trace;
  SpanId span;
};

// The numbers of OTLP.
enum class SpanKind : std::uint8_t {
  server = 2,  // a call of a client
  client = 3,  // a call to a node
};

struct Span {
  Context context;
  SpanId parent;  // not valid: the root of its trace
  std::string name;
  SpanKind kind = SpanKind::server;
  WallTime begun;
  WallTime ended;
  std::vector<Attribute> attributes;
  std::vector<Link> links;
  bool is_error = false;
  std::string error;  // what went wrong; may be empty
};

}  // namespace fanfare::trace
