#pragma once
// Phrases for status codes, and the error of a parser that rejects a message.

#include <string_view>

namespace fanfare::http {

// "Not Found" for 404; "Unknown" for an unregistered code. Static.
std::string_view status_phrase(int status);

// The peer's message breaks a rule or a limit. The connection cannot be used any further: answer with
// `status`, then close it.
struct Error {
  int status;               // the status that a server answers with
  std::string_view reason;  // for the response body and the log; static, contains nothing from the peer
};

}  // namespace fanfare::http
