#include "gateway/defend/memory_usage.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>

namespace fanfare::gateway {
namespace {

std::optional<std::string> text_of(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

std::optional<std::uint64_t> first_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc()) return std::nullopt;
  return value;
}

// The number behind a name at the start of a line: "inactive_file 4096", "MemTotal:  1024 kB".
std::optional<std::uint64_t> named_number(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    const std::size_t digit = line.find_first_not_of(" \t:");
    if (digit == 0 || digit == std::string_view::npos) continue;
    return first_number(line.substr(digit));
  }
  return std::nullopt;
}

// cgroup(7): "0::/system.slice/fanfare.service". Empty: the process is in no group of version 2.
std::optional<std::string> cgroup_path(const KernelFiles& files) {
  const auto text = text_of(files.proc + "/self/cgroup");
  if (!text) return std::nullopt;
  const std::size_t at = text->starts_with("0::") ? 0 : text->find("\n0::");
  if (at == std::string::npos) return std::nullopt;
  const std::size_t from = text->find('/', at);
  if (from == std::string::npos) return std::nullopt;
  return text->substr(from, std::min(text->find('\n', from), text->size()) - from);
}

// The least limit of a group and of those around it; "max" is none.
std::optional<std::uint64_t> cgroup_limit(const KernelFiles& files) {
  auto path = cgroup_path(files);
  if (!path) return std::nullopt;
  std::optional<std::uint64_t> least;
  for (;;) {
    if (*path == "/") path->clear();
    for (const char* name : {"/memory.max", "/memory.high"}) {
      const auto text = text_of(files.cgroup + *path + name);
      const auto limit = text ? first_number(*text) : std::nullopt;
      if (limit) least = std::min(least.value_or(*limit), *limit);
    }
    if (path->empty()) return least;
    path->erase(path->rfind('/'));
  }
}

std::uint64_t machine_bytes(const KernelFiles& files) {
  const auto text = text_of(files.proc + "/meminfo");
  return text ? named_number(*text, "MemTotal:").value_or(0) * 1024 : 0;
}

}  // namespace

std::string_view name_of(MemoryCeiling::Source source) {
  switch (source) {
    case MemoryCeiling::Source::configured:
      return "configured";
    case MemoryCeiling::Source::cgroup:
      return "cgroup";
    case MemoryCeiling::Source::machine:
      return "machine";
  }
  return "";
}

MemoryCeiling memory_ceiling(std::uint64_t configured, const KernelFiles& files) {
  using Source = MemoryCeiling::Source;
  const std::uint64_t machine = machine_bytes(files);
  const auto limit = cgroup_limit(files);
  // A group's limit above the machine's memory is none.
  const bool is_limited = limit && (machine == 0 || *limit < machine);
  if (configured > 0 && (!is_limited || configured <= *limit)) {
    return {.bytes = configured, .source = Source::configured};
  }
  if (is_limited) return {.bytes = *limit, .source = Source::cgroup};
  return {.bytes = machine, .source = Source::machine};
}

std::optional<std::string> memory_cgroup(const KernelFiles& files) {
  auto path = cgroup_path(files);
  if (!path) return std::nullopt;
  if (*path == "/") path->clear();
  std::string folder = files.cgroup + *path;
  if (::access((folder + "/memory.current").c_str(), R_OK) != 0) return std::nullopt;
  return folder;
}

MemoryMeter::MemoryMeter(bool counts_cgroup, const KernelFiles& files)
    : statm_(files.proc + "/self/statm"), cgroup_(counts_cgroup ? memory_cgroup(files).value_or("") : "") {}

std::uint64_t MemoryMeter::used() const {
  // proc(5): the second number is the resident set, in pages.
  std::uint64_t resident = 0;
  if (const auto text = text_of(statm_)) {
    const std::size_t second = std::min(text->find(' '), text->size() - 1) + 1;
    resident = first_number(std::string_view(*text).substr(second)).value_or(0) *
               static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
  if (cgroup_.empty()) return resident;
  const auto current = text_of(cgroup_ + "/memory.current");
  const auto stat = text_of(cgroup_ + "/memory.stat");
  if (!current || !stat) return resident;
  const std::uint64_t group = first_number(*current).value_or(0);
  const std::uint64_t reclaimable = named_number(*stat, "inactive_file").value_or(0);
  return std::max(resident, group - std::min(group, reclaimable));
}

}  // namespace fanfare::gateway
