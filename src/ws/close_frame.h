#pragma once
// RFC6455§5.5.1: the body of a Close frame is empty, or a two-byte code and a UTF-8 reason.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "ws/frame_header.h"
#include "ws/rules.h"

namespace fanfare::ws {

inline constexpr std::size_t kCloseReasonBytesMax = kControlPayloadBytesMax - 2;

// Returns the beginning of `reason` that fits into a Close frame: at most 123 bytes. The cut is between two
// characters, and before the first byte that is not UTF-8.
std::string_view close_reason_of(std::string_view reason);

// Returns the rule that the body breaks. `there` may hold only the first of its `size` bytes.
std::optional<Rule> broken_close_rule(Bytes there, std::size_t size);

// The code of a valid body; close_code::no_status if the body is empty.
std::uint16_t close_code_of(Bytes body);

}  // namespace fanfare::ws
