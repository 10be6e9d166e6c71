#include "admin/socket_rights.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/text.h"

namespace fanfare::admin {
namespace {

constexpr mode_t kModeBits = 07777;

struct Rights {
  gid_t group;
  mode_t mode;
};

// Zero, or errno. Nobody who may not connect before or after may connect meanwhile.
int set_rights(const std::string& path, const Rights& from, const Rights& to) {
  if (from.group != to.group) {
    if (::chmod(path.c_str(), from.mode & to.mode) != 0) return errno;
    if (::chown(path.c_str(), static_cast<uid_t>(-1), to.group) != 0) {
      const int code = errno;
      ::chmod(path.c_str(), from.mode);
      return code;
    }
  }
  return ::chmod(path.c_str(), to.mode) == 0 ? 0 : errno;
}

}  // namespace

std::expected<SocketRights, Error> SocketRights::change(const std::string& path, const std::string& group,
                                                        std::optional<unsigned> mode) {
  const auto failed = [&](std::string_view why, int code) {
    return std::unexpected(
        Error{.kind = Error::Kind::system,
              .message = joined({"cannot give ", path, " to ",
                                 group.empty() ? "the group of the process" : "group ", group, ": ", why}),
              .system_code = code});
  };
  const auto text_of = [](int code) { return std::generic_category().message(code); };
  gid_t wanted_group = ::getegid();
  if (!group.empty()) {
    std::array<char, 16384> memory{};
    ::group entry{};
    ::group* found = nullptr;
    const int looked = ::getgrnam_r(group.c_str(), &entry, memory.data(), memory.size(), &found);
    if (found == nullptr) return failed(looked == 0 ? "there is no such group" : text_of(looked), looked);
    wanted_group = entry.gr_gid;
  }
  struct stat now{};
  if (::stat(path.c_str(), &now) != 0) return failed(text_of(errno), errno);
  const Rights from{.group = now.st_gid, .mode = now.st_mode & kModeBits};
  const Rights to{.group = wanted_group, .mode = mode.value_or(from.mode)};
  if (const int code = set_rights(path, from, to); code != 0) return failed(text_of(code), code);
  return SocketRights(path, from.group, from.mode);
}

SocketRights::SocketRights(SocketRights&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      group_before_(other.group_before_),
      mode_before_(other.mode_before_) {}

SocketRights::~SocketRights() {
  struct stat now{};
  if (path_.empty() || ::stat(path_.c_str(), &now) != 0) return;
  set_rights(path_, {.group = now.st_gid, .mode = now.st_mode & kModeBits},
             {.group = group_before_, .mode = mode_before_});
}

}  // namespace fanfare::admin
