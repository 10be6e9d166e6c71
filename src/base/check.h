#pragma once
// An assertion that is always on: what it guards is a rule of our own, so breaking it is a bug of ours and
// the process must not go on. Bad input is never handled with it.

namespace fanfare {

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace fanfare

#define FANFARE_CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::fanfare::check_failed(#expression, __FILE__, __LINE__))
