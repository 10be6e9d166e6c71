#pragma once
// How much memory the process may use, and how much it uses: from /proc and from its control group (version 2).

#include <cstdint>
#include <optional>
#include <string>

namespace fanfare::gateway {

// Where the kernel's files are; another place in tests.
struct KernelFiles {
  std::string proc = "/proc";
  std::string cgroup = "/sys/fs/cgroup";
};

struct MemoryCeiling {
  enum class Source : std::uint8_t { configured, cgroup, machine };

  std::uint64_t bytes = 0;
  Source source = Source::machine;
};
std::string_view name_of(MemoryCeiling::Source source);

// The configured ceiling, but at most the limit of the control group; with 0, that limit (the least of memory.max and
// memory.high, of the group and those around it), or else the machine's memory. 0 bytes: nothing is known.
MemoryCeiling memory_ceiling(std::uint64_t configured, const KernelFiles& files = {});

// The control group's folder, if it is of version 2 and has the memory controller.
std::optional<std::string> memory_cgroup(const KernelFiles& files = {});

// A few microseconds a call. One thread.
class MemoryMeter {
 public:
  // `counts_cgroup`: the ceiling is that of the control group, so what other processes of the group use counts, too.
  MemoryMeter(bool counts_cgroup, const KernelFiles& files = {});

  // What the process has in RAM (its resident set). In a control group with a limit: what the group uses, if that is
  // more. It includes the kernel's socket buffers, but not the file cache that the kernel gives back on its own.
  std::uint64_t used() const;

 private:
  const std::string statm_;
  std::string cgroup_;  // empty: not counted
};

}  // namespace fanfare::gateway
