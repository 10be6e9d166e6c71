#pragma once
// When a server wants a client back, in the reason of its Close frame with 1012 or 1013: "..., try again in 3 s". The clients
// of this repository wait that long before they reconnect, and their usual random delay after it.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fanfare::session {

// A longer hint counts as this, so that no server can silence a client for good.
inline constexpr std::chrono::seconds kCloseHintMax = std::chrono::minutes(10);

// "WHY, try again in 3 s": at most 123 bytes if `why` has at most 90.
std::string with_close_hint(std::string_view why, std::chrono::seconds wait);
// Empty: the close has another code, or its reason has no hint.
std::optional<std::chrono::seconds> close_hint(std::uint16_t code, std::string_view reason);

}  // namespace fanfare::session
