#pragma once
// What a thread of this process does at the moment, as the kernel sees it.

#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

namespace fanfare {

inline pid_t this_thread_id() {
  return static_cast<pid_t>(::syscall(SYS_gettid));
}

// R: it runs, or wants to. S: it sleeps.
inline char thread_state(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.at(text.rfind(')') + 2);
}

}  // namespace fanfare
