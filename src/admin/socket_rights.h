#pragma once
// Who may connect to a Unix socket: the group that owns its file, and the file's mode.

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>

#include "fanfare/error.h"

namespace fanfare::admin {

// A change of both, which is undone at the end of this object unless it is kept.
class SocketRights {
 public:
  // `group` empty: that of the process. `mode` empty: the file keeps its mode. The error says what could not be done, and nothing has
  // changed.
  static std::expected<SocketRights, Error> change(const std::string& path, const std::string& group,
                                                   std::optional<unsigned> mode);
  SocketRights(SocketRights&& other) noexcept;
  SocketRights& operator=(SocketRights&&) = delete;
  SocketRights(const SocketRights&) = delete;
  SocketRights& operator=(const SocketRights&) = delete;
  ~SocketRights();

  void keep() { path_.clear(); }

 private:
  SocketRights(std::string path, gid_t group, mode_t mode)
      : path_(std::move(path)), group_before_(group), mode_before_(mode) {}

  std::string path_;  // empty: kept, or moved from
  gid_t group_before_;
  mode_t mode_before_;
};

}  // namespace fanfare::admin
