#pragma once
// RFC6455§7.4: the status codes of a Close frame.

#include <cstdint>

namespace fanfare::ws {

// The codes that we send or report. A peer may send any other valid code, so codes are passed as numbers.
namespace close_code {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unsupported_data = 1003;
inline constexpr std::uint16_t no_status = 1005;  // reported, never sent: the Close frame had no code
inline constexpr std::uint16_t abnormal = 1006;   // reported, never sent: there was no Close frame
inline constexpr std::uint16_t invalid_payload = 1007;
inline constexpr std::uint16_t policy_violation = 1008;
inline constexpr std::uint16_t message_too_big = 1009;
inline constexpr std::uint16_t extension_required = 1010;
inline constexpr std::uint16_t internal_error = 1011;
inline constexpr std::uint16_t service_restart = 1012;
inline constexpr std::uint16_t try_again_later = 1013;
inline constexpr std::uint16_t bad_gateway = 1014;
inline constexpr std::uint16_t tls_handshake = 1015;  // reported, never sent
}  // namespace close_code

// RFC6455§7.4.1: 1005, 1006 and 1015 describe what an endpoint observed; no Close frame may carry them.
constexpr bool is_report_only_close_code(std::uint16_t code) {
  return code == close_code::no_status || code == close_code::abnormal || code == close_code::tls_handshake;
}

// RFC6455§7.4.2: whether a Close frame may carry the code. Valid are 1000-1014 as registered with IANA,
// except 1004, which has no meaning, and the codes above. Also valid: 3000-3999 for libraries and 4000-4999
// for applications.
constexpr bool is_valid_close_code(std::uint16_t code) {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code != 1004 && !is_report_only_close_code(code);
}

}  // namespace fanfare::ws
