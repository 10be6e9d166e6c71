#include "store/commit_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "store/checksum.h"

namespace fanfare::store {
namespace {

constexpr std::size_t kMarkBytes = 16;

}  // namespace

CommitMark::~CommitMark() {
  if (fd_ >= 0) ::close(fd_);
}

std::expected<void, Problem> CommitMark::open(const std::string& path) {
  fd_ = ::open(path_of(path).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ >= 0) return {};
  return std::unexpected(system_problem(joined({"cannot open ", path_of(path)}), errno));
}

bool CommitMark::is_beside(const std::string& path) {
  CommitMark mark;
  mark.fd_ = ::open(path_of(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  return mark.fd_ >= 0 && mark.read().has_value();
}

std::optional<std::uint64_t> CommitMark::read() const {
  std::array<std::uint8_t, kMarkBytes> bytes{};
  if (::pread(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return std::nullopt;
  std::uint64_t commits = 0;
  std::int64_t checksum = 0;
  std::memcpy(&commits, bytes.data(), 8);
  std::memcpy(&checksum, bytes.data() + 8, 8);
  if (checksum != checksum_of(commits)) return std::nullopt;
  return commits;
}

bool CommitMark::write(std::uint64_t commits) const {
  std::array<std::uint8_t, kMarkBytes> bytes;
  const std::int64_t checksum = checksum_of(commits);
  std::memcpy(bytes.data(), &commits, 8);
  std::memcpy(bytes.data() + 8, &checksum, 8);
  return ::pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
}

bool CommitMark::sync() const {
  return ::fsync(fd_) == 0;
}

}  // namespace fanfare::store
