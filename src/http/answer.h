#pragma once
// Checks a program's response: its status and header fields must not break or contradict the message that
// contains them. RFC9110, RFC9112. No I/O.
//
//   field of the program                          what happens
//   Content-Length, Transfer-Encoding, Trailer    omitted: the engine frames the message (RFC9112§6)
//   Connection, Keep-Alive, Proxy-Connection, TE  omitted: the engine manages the connection (RFC9110§7.6.1)
//   Upgrade                                       sent with 426, which must name a protocol
//                                                 (RFC9110§15.5.22), omitted otherwise
//   Date                                          omitted: the engine writes it (RFC9110§6.6.1)
//   Content-Type                                  the first one replaces the response's content type, others
//                                                 are omitted
//   a name that is not a token, or a value with   omitted (RFC9110§5.1, §5.5)
//   control bytes
//
// A status that no final response has becomes a 500. So does a body with a status that does not allow one.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "http/headers.h"

namespace fanfare::http {

// The response as the program supplied it. Views are borrowed for the call.
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
  std::vector<HeaderField> headers;  // Content-Type first; they point into the same memory as the draft's
  std::vector<LeftOut> left_out;
  // Not empty: the draft's status made this a 500, and this is the body in place of the draft's.
  std::string explanation;
};

std::string_view name_of(Answer::Reason reason);

Answer checked_answer(const AnswerDraft& draft);

// RFC9110§15: the statuses of final responses. A program cannot send interim ones, and only the engine sends
// 101.
constexpr bool is_answer_status(int status) {
  return status >= 200 && status <= 599;
}

}  // namespace fanfare::http
