#pragma once
// std::thread that returns an error instead of throwing if the system cannot create a thread.

#include <expected>
#include <system_error>
#include <thread>
#include <utility>

#include "net/os_error.h"

namespace fanfare::net {

// Errors: those of pthread_create() (EAGAIN: too many threads, or no memory for a stack). `run` is then
// destroyed without being called.
template <typename Run>
std::expected<std::thread, OsError> start_thread(Run&& run) {
  try {
    return std::thread(std::forward<Run>(run));
  } catch (const std::system_error& error) {
    return std::unexpected(OsError{.call = "pthread_create", .code = error.code().value(), .detail = {}});
  }
}

}  // namespace fanfare::net
