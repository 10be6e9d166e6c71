#pragma once
// What goes out of an answer that a program gives: its status and header fields are checked here, so that
// nothing in them breaks or contradicts the message around them. RFC9110, RFC9112. No I/O.
//
//   field of the program                          what happens
//   Content-Length, Transfer-Encoding, Trailer    left out: the engine frames the message (RFC9112§6)
//   Connection, Keep-Alive, Proxy-Connection, TE  left out: the engine decides how the connection goes on
//                                                 (RFC9110§7.6.1)
//   Upgrade                                       sent with 426, which has to name a protocol
//   (RFC9110§15.5.22),
//                                                 left out elsewhere
//   Date                                          left out: the engine writes it (RFC9110§6.6.1)
//   Content-Type                                  the first one replaces the answer's content type, others
//   are
//                                                 left out
//   a name that is no token, or a value with      left out (RFC9110§5.1, §5.5)
//   control bytes
//
// A status that no final answer has, or a body with a status that has none, makes it a 500.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "http/headers.h"

namespace fanfare::http {

// As the program gave it. Views are borrowed for the call.
struct AnswerDraft {
  int status = 200;
  std::string_view content_type;  // empty: none
  Headers headers;
  Bytes body;
};

struct Answer {
  enum class Reason : std::uint8_t {
    written_by_engine,  // framing, connection, date
    repeated,           // a second Content-Type
    malformed_name,
    malformed_value,
  };
  struct LeftOut {
    std::string_view name;
    Reason reason;
  };

  int status = 200;
  std::vector<HeaderField> headers;  // Content-Type first; they point where the draft's do
  std::vector<LeftOut> left_out;
  // Not empty: the draft's status made this a 500, and this is the body instead of the draft's.
  std::string explanation;
};

std::string_view name_of(Answer::Reason reason);

Answer checked_answer(const AnswerDraft& draft);

// RFC9110§15: the statuses of final answers. A program cannot give an interim one, and 101 is the engine's.
constexpr bool is_answer_status(int status) {
  return status >= 200 && status <= 599;
}

}  // namespace fanfare::http
