#include "gateway/process_memory.h"

#include <unistd.h>

#include <fstream>

namespace fanfare::gateway {

std::uint64_t resident_bytes() {
  // proc(5): the second number is the resident set, in pages.
  std::ifstream statm("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  statm >> total >> resident;
  return static_cast<std::uint64_t>(resident * sysconf(_SC_PAGESIZE));
}

}  // namespace fanfare::gateway
