#pragma once
// The border between the program and the library: an exception of a handler ends here. It costs the session
// it was thrown in (1011), or the request (500), never the process and everyone else in it.
//
//   call_handler("message", [&] { route.message(session, message); });
//
// Any thread. Without an exception it costs a message three instructions, which keep the session at hand.

#include <cstdint>
#include <string_view>
#include <utility>

namespace fanfare::api {

// In a catch block: counts the exception and logs it (`handler_threw`), a few lines a minute over the
// process.
void note_handler_exception(std::string_view handler) noexcept;
// How many so far, of every server and client of the process.
std::uint64_t handler_exceptions();

// False: it threw, which is noted. `handler` is its name in the public API. Always inlined: a call of its own
// would cost each message twenty instructions.
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
