#pragma once
// Where a task's exceptions end. Nearly all errors here are values; what is thrown is std::bad_alloc, and
// running out of memory must cost the task that ran out, not the process and everyone in it.
//
//   run_guarded("upstream task", [&] { task(); });

#include <cstdint>
#include <new>
#include <string_view>
#include <utility>

namespace fanfare {

// Counts and logs that memory ran out; at most a line a second over the process. Any thread; allocates
// little.
void note_out_of_memory(std::string_view what);
// How often so far.
std::uint64_t out_of_memory_count();

// False: it ended with std::bad_alloc, which was noted. Other exceptions are ours to find: they pass.
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
