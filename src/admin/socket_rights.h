#pragma once
// Who may connect to a Unix socket: the group that owns its file, and the file's mode.

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "fanfare/error.h"
#include "net/socket.h"
#include "session/unix_paths.h"

namespace fanfare::admin {

// A change of both, which is undone at the end of this object unless it is kept.
class SocketRights {
 public:
  // Of this file, and of no other one that is at its path now. `group` empty: that of the process. `mode` empty: the file keeps its mode. The error says what could not be done, and nothing has
  // changed.
  static std::expected<SocketRights, Error> change(const session::UnixFile& file, const std::string& group,
                                                   std::optional<unsigned> mode);
  SocketRights(SocketRights&& other) noexcept = default;
  SocketRights& operator=(SocketRights&&) = delete;
  SocketRights(const SocketRights&) = delete;
  SocketRights& operator=(const SocketRights&) = delete;
  ~SocketRights();

  void keep() { file_ = net::Descriptor(); }

 private:
  SocketRights(net::Descriptor file, gid_t group, mode_t mode)
      : file_(std::move(file)), group_before_(group), mode_before_(mode) {}

  net::Descriptor file_;  // invalid: kept, or moved from
  gid_t group_before_;
  mode_t mode_before_;
};

}  // namespace fanfare::admin
