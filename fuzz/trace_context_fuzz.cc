// traceparent, tracestate and X-Request-Id as a client may send them: what is accepted is passed on to nodes as it is, so it
// must be a valid field of a header, and a parsed parent must survive its own rendering.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "trace/context.h"
#include "trace/request_id.h"

using namespace fanfare;

namespace {

void check_field(std::string_view text, std::size_t bytes_max) {
  FANFARE_CHECK(text.size() <= bytes_max);
  for (const char c : text) FANFARE_CHECK((c >= ' ' && c <= '~') || c == '\t');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto context = trace::parse_trace_parent(text)) {
    FANFARE_CHECK(context->trace.is_valid() && context->span.is_valid());
    FANFARE_CHECK(trace::parse_trace_parent(trace::trace_parent_of(*context)) == context);
  }
  const std::string state = trace::checked_trace_state(text);
  check_field(state, trace::kTraceStateBytesMax);
  FANFARE_CHECK(trace::checked_trace_state(state) == state);
  if (trace::is_request_id(text)) check_field(text, trace::kRequestIdBytesMax);
  return 0;
}
