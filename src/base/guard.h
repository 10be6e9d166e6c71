#pragma once
// Contains a task's exceptions. Nearly all errors here are values; the exception that occurs is
// std::bad_alloc. Running out of memory must end only the task concerned, not the process and everything in
// it.
//
//   run_guarded("upstream task", [&] { task(); });

#include <cstdint>
#include <new>
#include <string_view>
#include <utility>

namespace fanfare {

// Counts and logs that memory ran out; at most one line per second for the process. Any thread; allocates
// little.
void note_out_of_memory(std::string_view what);
// Number of times so far.
std::uint64_t out_of_memory_count();

// False: the task ended with std::bad_alloc, which was noted. Other exceptions are bugs of ours and
// propagate.
template <typename Task>
bool run_guarded(std::string_view what, Task&& task) {
  try {
    std::forward<Task>(task)();
    return true;
  } catch (const std::bad_alloc&) {
    note_out_of_memory(what);
    return false;
  }
}

}  // namespace fanfare
