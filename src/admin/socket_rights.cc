#include "admin/socket_rights.h"

#include <fcntl.h>
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
int set_rights(const net::Descriptor& file, const Rights& from, const Rights& to) {
  if (from.group != to.group) {
    if (const int code = session::change_mode(file, from.mode & to.mode); code != 0) return code;
    if (::fchownat(file.get(), "", static_cast<uid_t>(-1), to.group, AT_EMPTY_PATH) != 0) {
      const int code = errno;
      session::change_mode(file, from.mode);
      return code;
    }
  }
  return session::change_mode(file, to.mode);
}

std::string text_of(int code) {
  if (code == ESTALE) return "another file is at this path, and not the socket that was bound there";
  return std::generic_category().message(code);
}

}  // namespace

std::expected<SocketRights, Error> SocketRights::change(const session::UnixFile& file,
                                                        const std::string& group,
                                                        std::optional<unsigned> mode) {
  const auto failed = [&](std::string_view why, int code) {
    return std::unexpected(
        Error{.kind = Error::Kind::system,
              .message = joined({"cannot give ", file.path, " to ",
                                 group.empty() ? "the group of the process" : "group ", group, ": ", why}),
              .system_code = code});
  };
  gid_t wanted_group = ::getegid();
  if (!group.empty()) {
    std::array<char, 16384> memory{};
    ::group entry{};
    ::group* found = nullptr;
    const int looked = ::getgrnam_r(group.c_str(), &entry, memory.data(), memory.size(), &found);
    if (found == nullptr) return failed(looked == 0 ? "there is no such group" : text_of(looked), looked);
    wanted_group = entry.gr_gid;
  }
  auto opened = file.open();
  if (!opened) return failed(text_of(opened.error()), opened.error());
  struct stat now{};
  if (::fstat(opened->get(), &now) != 0) return failed(text_of(errno), errno);
  const Rights from{.group = now.st_gid, .mode = now.st_mode & kModeBits};
  const Rights to{.group = wanted_group, .mode = mode.value_or(from.mode)};
  if (const int code = set_rights(*opened, from, to); code != 0) return failed(text_of(code), code);
  return SocketRights(*std::move(opened), from.group, from.mode);
}

SocketRights::~SocketRights() {
  struct stat now{};
  if (!file_.valid() || ::fstat(file_.get(), &now) != 0) return;
  set_rights(file_, {.group = now.st_gid, .mode = now.st_mode & kModeBits},
             {.group = group_before_, .mode = mode_before_});
}

}  // namespace fanfare::admin
