#include "session/unix_paths.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace fanfare::session {

BoundPath::BoundPath(const Listener& listener, const net::Address& address)
    : path_(listener.inherited_fd || address.family() != AF_UNIX ? std::string() : address.host()) {}

BoundPath::~BoundPath() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

void UnixPaths::remember(std::size_t index, const Listener& listener, const net::Address& address,
                         bool is_of_other) {
  struct stat made{};
  const bool is_inherited = listener.inherited_fd.has_value();
  if ((is_inherited && !listener.is_ours) || address.family() != AF_UNIX) return;
  if (::stat(address.host().c_str(), &made) != 0) return;
  const std::scoped_lock lock(mutex_);
  paths_.push_back({.listener = index,
                    .path = address.host(),
                    .device = made.st_dev,
                    .inode = made.st_ino,
                    .is_of_other = is_inherited && is_of_other,
                    .mode = listener.unix_mode});
}

void UnixPaths::take_over() {
  const std::scoped_lock lock(mutex_);
  for (UnixPath& path : paths_) {
    if (std::exchange(path.is_of_other, false) && path.mode) ::chmod(path.path.c_str(), *path.mode);
  }
}

// A successor may have created its own socket there already.
void UnixPaths::unlink_if_ours(const UnixPath& ours) {
  struct stat now{};
  if (ours.is_of_other || ::stat(ours.path.c_str(), &now) != 0 || now.st_dev != ours.device ||
      now.st_ino != ours.inode)
    return;
  ::unlink(ours.path.c_str());
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
