#pragma once
// The Unix paths of a server's listeners, which it removes at their end if they are still the same files. Any thread.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/socket.h"
#include "session/listening.h"

namespace fanfare::session {

// A Unix socket's file, with its identity: somebody may put another file at the path. Any thread.
struct UnixFile {
  std::string path;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  // What is at the path now. Empty: no socket, or a symbolic link to one.
  static std::optional<UnixFile> at(const std::string& path);
  bool is_there() const;
  // A descriptor (O_PATH) of the file itself. Errors: errno; ESTALE: another file is at the path.
  std::expected<net::Descriptor, int> open() const;
  void unlink_if_there() const;
};
// Of such a descriptor, which chmod() does not take. Zero, or errno.
int change_mode(const net::Descriptor& file, unsigned mode);

// The path of a Unix socket that was bound, and that nobody accepts from yet: it is removed at the end of this object unless it is
// kept. Empty for other listeners.
class BoundPath {
 public:
  BoundPath() = default;
  BoundPath(const Listener& listener, const net::Address& address);
  BoundPath(BoundPath&& other) noexcept : file_(std::exchange(other.file_, {})) {}
  BoundPath& operator=(BoundPath&&) = delete;
  BoundPath(const BoundPath&) = delete;
  BoundPath& operator=(const BoundPath&) = delete;
  ~BoundPath();

  const std::optional<UnixFile>& file() const { return file_; }
  void keep() { file_.reset(); }

 private:
  std::optional<UnixFile> file_;
};

class UnixPaths {
 public:
  // The listener is bound to `address`; nothing is remembered of other addresses, or of sockets that belong to others. `is_of_other`: an
  // inherited socket's path belongs to the process that this one replaces, until take_over().
  void remember(std::size_t index, const Listener& listener, const net::Address& address, bool is_of_other);
  // That process is gone: the paths are ours, with the modes that were asked for.
  void take_over();
  void remove(std::size_t index);
  void remove_all();
  // Another process removes them from now on.
  void give_up();
  // Empty: nothing is remembered of it.
  std::optional<UnixFile> file_of(std::size_t index) const;

 private:
  struct UnixPath {
    std::size_t listener = 0;  // its index
    UnixFile file;             // that we created
    bool is_of_other = false;
    std::optional<unsigned> mode =
        {};  // set in take_over(), because the other process may have had another one
  };
  static void unlink_if_ours(const UnixPath& ours);

  mutable std::mutex mutex_;  // guards paths_
  std::vector<UnixPath> paths_;
};

}  // namespace fanfare::session
