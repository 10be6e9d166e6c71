#pragma once
// The boundary between the program and the library: exceptions of handlers end here. An exception ends its
// session (1011) or request (500), but never affects the process or other sessions.
//
//   call_handler("message", [&] { route.message(session, message); });
//
// Any thread. Without an exception it costs three instructions per message, which keep a pointer to the
// session.

#include <cstdint>
#include <string_view>
#include <utility>

namespace fanfare::api {

// The body of the 500 for a request whose handler gives no answer.
inline constexpr std::string_view kNoAnswer = "the server has no answer to this\n";

// Call in a catch block: counts the exception and logs it (`handler_threw`), at a few lines per minute for
// the whole process.
void note_handler_exception(std::string_view handler) noexcept;
// The number of exceptions so far, from all servers and clients of the process.
std::uint64_t handler_exceptions();

// Returns false if the handler threw; the exception is counted and logged. `handler` is its name in the
// public API. Always inlined: a call of its own would cost each message twenty instructions.
template <typename Call>
[[gnu::always_inline]] inline bool call_handler(std::string_view handler, Call&& call) {
  try {
    std::forward<Call>(call)();
    return true;
  } catch (...) {
    note_handler_exception(handler);
    return false;
  }
}

}  // namespace fanfare::api
