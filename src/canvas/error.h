#pragma once
// Why a request is rejected: docs/canvas.md, "code" and "status".

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace fanfare::canvas {

enum class ErrorCode : std::uint8_t {
  not_json,
  bad_message,
  unknown_type,
  out_of_range,
  too_many_pixels,
  too_many_messages,
  message_too_big,
  not_permitted,
  proof_required,
  storage_full,
  not_authenticated,
};
inline constexpr std::size_t kErrorCodeCount = 11;
std::string_view name_of(ErrorCode code);
// The status byte of ACK and ERROR. Those that only JSON has are bad_message there, not_authenticated is not_permitted.
std::uint8_t status_of(ErrorCode code);

struct ProtocolError {
  ErrorCode code = ErrorCode::bad_message;
  std::string message;     // for people
  std::string id = {};     // raw JSON; empty: the request had none
  std::string field = {};  // empty: it is about no field
  std::string value =
      {};  // raw JSON, at most kErrorValueBytesMax; empty: too long, or the error is about no value
  std::string limit = {};  // raw JSON: the largest valid value of the field; empty: it has none
  // Empty: waiting does not help. Rounded up to whole milliseconds: what is sent then is accepted.
  std::optional<std::chrono::milliseconds> retry_after = {};
};
inline constexpr std::size_t kErrorValueBytesMax = 64;

// Rounds up to what retry_after_ms says.
constexpr std::chrono::milliseconds retry_ms(Duration wait) {
  return std::chrono::ceil<std::chrono::milliseconds>(wait);
}

ProtocolError error_of(ErrorCode code, std::string message);
ProtocolError too_many_pixels(std::string message, Duration wait);

}  // namespace fanfare::canvas
