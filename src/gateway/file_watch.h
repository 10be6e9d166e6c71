#pragma once
// Notices that files have changed, by looking at them now and then: that works on every file system, and with files that
// are replaced through links, as orchestrators do it. One thread.

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fanfare::gateway {

class FileWatch {
 public:
  // The files as they are now count as known.
  explicit FileWatch(std::vector<std::string> paths);

  // Whether a file is not as it is known, and was the same at the look before: a file that is still being written is left
  // alone. What is reported counts as known. A file that is gone has changed, too.
  bool look();
  // Nothing counts as known: the files are reported when they have settled.
  void forget() { known_.clear(); }

 private:
  struct Stamp {
    bool exists = false;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  static Stamp stamp_of(const std::string& path);
  std::vector<Stamp> stamps() const;

  std::vector<std::string> paths_;
  std::vector<Stamp> known_;
  std::vector<Stamp> seen_;
};

}  // namespace fanfare::gateway
