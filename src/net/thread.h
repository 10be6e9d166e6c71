#pragma once
// std::thread, with an error where the system has no thread left instead of an exception.

#include <expected>
#include <system_error>
#include <thread>
#include <utility>

#include "net/os_error.h"

namespace fanfare::net {

// Errors: what pthread_create() said (EAGAIN: too many threads, or no memory for a stack). `run` is destroyed
// uncalled then.
template <typename Run>
std::expected<std::thread, OsError> start_thread(Run&& run) {
  try {
    return std::thread(std::forward<Run>(run));
  } catch (const std::system_error& error) {
    return std::unexpected(OsError{.call = "pthread_create", .code = error.code().value(), .detail = {}});
  }
}

}  // namespace fanfare::net
