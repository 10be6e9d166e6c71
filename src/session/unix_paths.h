#pragma once
// The Unix paths of a server's listeners, which it removes at their end if they are still the same files. Any thread.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "session/listening.h"

namespace fanfare::session {

// The path of a Unix socket that was bound, and that nobody accepts from yet: it is removed at the end of this object unless it is
// kept. Empty for other listeners.
class BoundPath {
 public:
  BoundPath() = default;
  BoundPath(const Listener& listener, const net::Address& address);
  BoundPath(BoundPath&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  BoundPath& operator=(BoundPath&&) = delete;
  BoundPath(const BoundPath&) = delete;
  BoundPath& operator=(const BoundPath&) = delete;
  ~BoundPath();

  void keep() { path_.clear(); }

 private:
  std::string path_;
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

 private:
  struct UnixPath {
    std::size_t listener = 0;  // its index
    std::string path;
    std::uint64_t device = 0;  // the identity of the file that we created
    std::uint64_t inode = 0;
    bool is_of_other = false;
    std::optional<unsigned> mode =
        {};  // set in take_over(), because the other process may have had another one
  };
  static void unlink_if_ours(const UnixPath& ours);

  std::mutex mutex_;  // guards paths_
  std::vector<UnixPath> paths_;
};

}  // namespace fanfare::session
