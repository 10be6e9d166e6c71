#include "ws/close_frame.h"

#include "ws/close_code.h"
#include "ws/utf8.h"

namespace fanfare::ws {

std::string_view close_reason_of(std::string_view reason) {
  std::string_view fitting = reason.substr(0, kCloseReasonBytesMax);
  while (!fitting.empty()) {
    // RFC3629§3: a character has at most four bytes, so a cut one takes at most three steps. Text that is not
    // UTF-8 takes one step per byte.
    if (is_valid_utf8(as_bytes(fitting))) break;
    fitting.remove_suffix(1);
  }
  return fitting;
}

std::optional<Rule> broken_close_rule(Bytes there, std::size_t size) {
  // RFC6455§5.5.1: one byte is half a code.
  if (size == 1) return Rule::close_body_one_byte;
  if (there.size() < 2) return std::nullopt;
  const std::uint16_t code = close_code_of(there);
  // RFC6455§7.4.1: some codes only describe what an endpoint observed.
  if (is_report_only_close_code(code)) return Rule::close_code_report_only;
  // RFC6455§7.4.2: other codes have no meaning.
  if (!is_valid_close_code(code)) return Rule::close_code_invalid;
  // RFC6455§5.5.1: the reason is text.
  Utf8Validator reason;
  const bool possible = reason.feed(there.subspan(2));
  if (!possible || (there.size() == size && !reason.complete())) return Rule::close_reason_not_utf8;
  return std::nullopt;
}

std::uint16_t close_code_of(Bytes body) {
  if (body.size() < 2) return close_code::no_status;
  return static_cast<std::uint16_t>(body[0] << 8U | body[1]);
}

}  // namespace fanfare::ws
