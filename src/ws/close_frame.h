#pragma once
// RFC6455§5.5.1: the body of a Close frame: nothing, or a two-byte code and a reason in UTF-8.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "ws/frame_header.h"
#include "ws/rules.h"

namespace fanfare::ws {

inline constexpr std::size_t kCloseReasonBytesMax = kControlPayloadBytesMax - 2;

// The beginning of `reason` that a Close frame can carry: at most 123 bytes, cut between two characters, and
// before the first byte that is not UTF-8.
std::string_view close_reason_of(std::string_view reason);

// The rule that the body breaks, of whose `size` bytes only the first ones may be there.
std::optional<Rule> broken_close_rule(Bytes there, std::size_t size);

// Of a body that breaks no rule: the code, close_code::no_status when it is empty.
std::uint16_t close_code_of(Bytes body);

}  // namespace fanfare::ws
