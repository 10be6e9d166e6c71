#include "session/unix_paths.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fanfare::session {

std::optional<UnixFile> UnixFile::at(const std::string& path) {
  struct stat now{};
  if (::lstat(path.c_str(), &now) != 0 || !S_ISSOCK(now.st_mode)) return std::nullopt;
  return UnixFile{.path = path, .device = now.st_dev, .inode = now.st_ino};
}

bool UnixFile::is_there() const {
  const auto now = at(path);
  return now && now->device == device && now->inode == inode;
}

std::expected<net::Descriptor, int> UnixFile::open() const {
  net::Descriptor file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat now{};
  if (!file.valid() || ::fstat(file.get(), &now) != 0) return std::unexpected(errno);
  if (now.st_dev != device || now.st_ino != inode) return std::unexpected(ESTALE);
  return file;
}

void UnixFile::unlink_if_there() const {
  if (is_there()) ::unlink(path.c_str());
}

int change_mode(const net::Descriptor& file, unsigned mode) {
  const std::string name = "/proc/self/fd/" + std::to_string(file.get());
  return ::chmod(name.c_str(), mode) == 0 ? 0 : errno;
}

BoundPath::BoundPath(const Listener& listener, const net::Address& address)
    : file_(listener.inherited_fd || address.family() != AF_UNIX ? std::nullopt
                                                                 : UnixFile::at(address.host())) {}

BoundPath::~BoundPath() {
  if (file_) file_->unlink_if_there();
}

void UnixPaths::remember(std::size_t index, const Listener& listener, const net::Address& address,
                         bool is_of_other) {
  const bool is_inherited = listener.inherited_fd.has_value();
  if ((is_inherited && !listener.is_ours) || address.family() != AF_UNIX) return;
  auto file = UnixFile::at(address.host());
  if (!file) return;
  const std::scoped_lock lock(mutex_);
  paths_.push_back({.listener = index,
                    .file = *std::move(file),
                    .is_of_other = is_inherited && is_of_other,
                    .mode = listener.unix_mode});
}

void UnixPaths::take_over() {
  const std::scoped_lock lock(mutex_);
  for (UnixPath& path : paths_) {
    if (!std::exchange(path.is_of_other, false) || !path.mode) continue;
    if (const auto file = path.file.open()) change_mode(*file, *path.mode);
  }
}

// A successor may have created its own socket there already.
void UnixPaths::unlink_if_ours(const UnixPath& ours) {
  if (!ours.is_of_other) ours.file.unlink_if_there();
}

std::optional<UnixFile> UnixPaths::file_of(std::size_t index) const {
  const std::scoped_lock lock(mutex_);
  const auto found = std::ranges::find(paths_, index, &UnixPath::listener);
  if (found == paths_.end()) return std::nullopt;
  return found->file;
}

void UnixPaths::remove(std::size_t index) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(paths_, [&](const UnixPath& path) {
    if (path.listener == index) unlink_if_ours(path);
    return path.listener == index;
  });
}

void UnixPaths::remove_all() {
  const std::scoped_lock lock(mutex_);
  for (const UnixPath& ours : paths_) unlink_if_ours(ours);
  paths_.clear();
}

void UnixPaths::give_up() {
  const std::scoped_lock lock(mutex_);
  paths_.clear();
}

}  // namespace fanfare::session
