#pragma once
// An assertion that is always enabled. It guards our own rules: a failure is a bug of ours, and the process
// must not continue. Never use it for bad input.

namespace fanfare {

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace fanfare

#define FANFARE_CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::fanfare::check_failed(#expression, __FILE__, __LINE__))
