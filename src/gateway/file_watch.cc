#include "gateway/file_watch.h"

#include <algorithm>
#include <utility>

namespace fanfare::gateway {

FileWatch::FileWatch(std::vector<std::string> paths)
    : paths_(std::move(paths)), known_(stamps()), seen_(known_) {}

FileWatch::Stamp FileWatch::stamp_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  constexpr std::int64_t kSecond = 1'000'000'000;
  // The time of the last change of the content or of the file itself: a copy may keep the first.
  return {.exists = true,
          .device = status.st_dev,
          .inode = status.st_ino,
          .size = status.st_size,
          .changed_ns = std::max(status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec,
                                 status.st_ctim.tv_sec * kSecond + status.st_ctim.tv_nsec)};
}

std::vector<FileWatch::Stamp> FileWatch::stamps() const {
  std::vector<Stamp> stamps;
  for (const std::string& path : paths_) stamps.push_back(stamp_of(path));
  return stamps;
}

bool FileWatch::look() {
  std::vector<Stamp> now = stamps();
  const bool is_settled = now == seen_;
  seen_ = std::move(now);
  if (!is_settled || seen_ == known_) return false;
  known_ = seen_;
  return true;
}

}  // namespace fanfare::gateway
