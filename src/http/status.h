#pragma once
// Status codes' phrases, and what a parser says when it refuses a message.

#include <string_view>

namespace fanfare::http {

// "Not Found" for 404; "Unknown" for a code that is not in the registry. Static.
std::string_view status_phrase(int status);

// The peer's message breaks a rule or a limit. The connection cannot be used any further: answer with
// `status`, then close.
struct Error {
  int status;               // what a server answers
  std::string_view reason;  // for the answer's body and the log; static, holds nothing of the peer's
};

}  // namespace fanfare::http
