#pragma once
// The ids of a trace, and the header fields that carry them from one program to the next (W3C Trace Context,
// level 1). Pure; any thread.
//
//   traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//                |  |                                |                |
//          version  trace id                         span id          flags: 01 sampled

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fanfare::trace {

template <std::size_t Size>
struct Id {
  std::array<std::uint8_t, Size> bytes{};

  bool operator==(const Id&) const = default;
  // All zeros identify nothing.
  bool is_valid() const { return *this != Id{}; }
};
using TraceId = Id<16>;
using SpanId = Id<8>;

// In lower case.
std::string hex_of(const TraceId& id);
std::string hex_of(const SpanId& id);

// A span as other programs refer to it.
struct Context {
  TraceId trace;
  SpanId span;
  bool is_sampled = false;
  std::string state;  // the value of tracestate; may be empty

  bool operator==(const Context&) const = default;
};

// A longer tracestate is dropped as a whole.
inline constexpr std::size_t kTraceStateBytesMax = 512;
inline constexpr std::size_t kTraceStateMembersMax = 32;

// Without `state`. Empty: the value is not valid, and a receiver starts a trace of its own. Later versions are read as far as
// this one knows them (§3.2.4).
std::optional<Context> parse_trace_parent(std::string_view value);
// The value of traceparent, version 00.
std::string trace_parent_of(const Context& context);

// The value as it is passed on; empty if it is not valid or longer than the limits.
std::string checked_trace_state(std::string_view value);

// Whether a trace is recorded at this ratio (0 to 1). Every program with the same ratio decides alike for the same id.
bool is_within(const TraceId& id, double ratio);
// The same for a number that is evenly distributed.
bool is_within(std::uint64_t number, double ratio);

}  // namespace fanfare::trace
