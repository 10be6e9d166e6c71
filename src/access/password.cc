#include "access/password.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "access/credentials.h"
#include "access/secret_file.h"

namespace fanfare::access {
namespace {

std::string random_hex(Random& random, std::size_t bytes) {
  Digest noise{};
  random.fill(MutableBytes(noise).first(bytes));
  return to_hex(noise).substr(0, bytes * 2);
}

std::unexpected<std::string> failed(const std::string& path, int code) {
  return std::unexpected(path + ": " + std::strerror(code));
}

std::unexpected<std::string> refused(const CookiePlaceProblem& problem) {
  return std::unexpected(problem.path + ": it " + problem.text +
                         ", expected a cookie file or a name that does not exist yet");
}

std::string beside(const std::string& path) {
  return path + ".tmp";
}

// Zero, or errno.
int write_private(const std::string& path, std::string_view text) {
  unlink(path.c_str());
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  const ssize_t wrote = write(fd, text.data(), text.size());
  int code = wrote == static_cast<ssize_t>(text.size()) ? 0 : (wrote < 0 ? errno : ENOSPC);
  if (close(fd) != 0 && code == 0) code = errno;
  if (code != 0) unlink(path.c_str());
  return code;
}

// What lstat() shows, in words. A cookie file is a regular file.
std::string_view kind_of(mode_t mode) {
  if (S_ISLNK(mode)) return "is a symbolic link";
  if (S_ISDIR(mode)) return "is a directory";
  if (S_ISSOCK(mode)) return "is a socket";
  if (S_ISFIFO(mode)) return "is a pipe";
  return S_ISREG(mode) ? "is a file" : "is a device";
}

bool is_cookie(std::string_view content) {
  return content.starts_with(kCookieUser) && content.substr(kCookieUser.size()).starts_with(':') &&
         content.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

std::optional<CookiePlaceProblem> problem_at(const std::string& path) {
  struct stat there{};
  if (lstat(path.c_str(), &there) != 0) return std::nullopt;  // whoever writes there notices
  if (!S_ISREG(there.st_mode)) {
    return CookiePlaceProblem{.path = path, .text = std::string(kind_of(there.st_mode))};
  }
  if (there.st_size == 0) return std::nullopt;
  if (there.st_size <= static_cast<off_t>(kSecretBytesMax)) {
    if (::access(path.c_str(), R_OK) != 0 && errno == EACCES) {
      return CookiePlaceProblem{.path = path, .text = "cannot be read by this user", .is_of_this_user = true};
    }
    const auto content = read_small_file(path, kSecretBytesMax);
    if (content && is_cookie(*content)) return std::nullopt;
  }
  return CookiePlaceProblem{.path = path, .text = "is not a cookie file"};
}

bool is_locked(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return false;
  const bool is = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(fd);
  return is;
}

}  // namespace

std::expected<PasswordHash, std::string> parse_rpcauth(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return std::unexpected("has no user before a colon");
  const std::string_view rest = text.substr(colon + 1);
  const std::size_t dollar = rest.find('$');
  if (dollar == std::string_view::npos || dollar == 0) return std::unexpected("has no salt before a $");
  const auto hmac = digest_from_hex(rest.substr(dollar + 1));
  if (!hmac) return std::unexpected("has no HMAC of 64 hexadecimal digits after the $");
  return PasswordHash{
      .user = std::string(text.substr(0, colon)), .salt = std::string(rest.substr(0, dollar)), .hmac = *hmac};
}

PasswordHash hash_password(std::string user, std::string_view password) {
  static const std::string seed = [] {
    SystemRandom random;
    return random_hex(random, 32);
  }();
  PasswordHash hash{.salt = to_hex(hmac_sha256(seed, user)).substr(0, 32)};
  hash.user = std::move(user);
  hash.hmac = hmac_sha256(hash.salt, password);
  return hash;
}

PasswordHash hash_password(std::string user, std::string_view password, Random& random) {
  PasswordHash hash{.user = std::move(user), .salt = random_hex(random, 16)};
  hash.hmac = hmac_sha256(hash.salt, password);
  return hash;
}

std::string rpcauth_text(const PasswordHash& hash) {
  return hash.user + ":" + hash.salt + "$" + to_hex(hash.hmac);
}

bool has_password(const PasswordHash& hash, std::string_view password) {
  return same(hash.hmac, hmac_sha256(hash.salt, password));
}

std::optional<CookiePlaceProblem> cookie_place_problem(const std::string& path) {
  auto problem = problem_at(path);
  return problem ? problem : problem_at(beside(path));
}

std::expected<CookieFile, std::string> CookieFile::create(std::string path, Random& random) {
  auto cookie = make(std::move(path), random);
  if (auto published = cookie.publish(); !published) return std::unexpected(std::move(published.error()));
  return cookie;
}

std::expected<CookieFile, std::string> CookieFile::prepare(std::string path, Random& random) {
  auto cookie = make(std::move(path), random);
  if (const auto problem = cookie_place_problem(cookie.path_)) return refused(*problem);
  const std::string written = beside(cookie.path_);
  if (const int code = write_private(written, {}); code != 0) return failed(cookie.path_, code);
  unlink(written.c_str());
  return cookie;
}

CookieFile CookieFile::make(std::string path, Random& random) {
  std::string password = random_hex(random, 32);
  PasswordHash hash = hash_password(std::string(kCookieUser), password, random);
  std::string content = std::string(kCookieUser) + ":" + password;
  OPENSSL_cleanse(password.data(), password.size());
  const bool was_in_use = is_locked(path);
  return {std::move(path), std::move(hash), std::move(content), was_in_use};
}

std::expected<void, std::string> CookieFile::publish() {
  return write();
}

// Beside the path, and then renamed.
std::expected<void, std::string> CookieFile::write() {
  if (const auto problem = cookie_place_problem(path_)) return refused(*problem);
  const std::string written = beside(path_);
  if (const int code = write_private(written, content_); code != 0) return failed(path_, code);
  const int fd = open(written.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0)
    flock(fd, LOCK_EX | LOCK_NB);  // only for was_in_use() of others: without locks nothing else is different
  struct stat made{};
  if (lstat(written.c_str(), &made) != 0 || std::rename(written.c_str(), path_.c_str()) != 0) {
    const int code = errno;
    unlink(written.c_str());
    if (fd >= 0) close(fd);
    return failed(path_, code);
  }
  device_ = made.st_dev;
  inode_ = made.st_ino;
  if (locked_ >= 0) close(locked_);
  locked_ = fd;
  return {};
}

// Another process may have written its cookie into the same file.
bool CookieFile::is_there() const {
  struct stat now{};
  if (inode_ == 0 || lstat(path_.c_str(), &now) != 0 || !S_ISREG(now.st_mode) || now.st_dev != device_ ||
      now.st_ino != inode_)
    return false;
  const auto content = read_small_file(path_, kSecretBytesMax);
  return content && same_secret(*content, content_);
}

bool CookieFile::restore_if_gone() {
  struct stat now{};
  if (path_.empty() || lstat(path_.c_str(), &now) == 0 || errno != ENOENT) return false;
  return write().has_value();
}

bool CookieFile::take_back() {
  return !path_.empty() && !is_there() && write().has_value();
}

CookieFile::CookieFile(CookieFile&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      hash_(std::move(other.hash_)),
      content_(std::exchange(other.content_, {})),
      was_in_use_(other.was_in_use_),
      device_(other.device_),
      inode_(other.inode_),
      locked_(std::exchange(other.locked_, -1)) {}

CookieFile::~CookieFile() {
  if (locked_ >= 0) close(locked_);
  if (!path_.empty() && is_there()) unlink(path_.c_str());
  OPENSSL_cleanse(content_.data(), content_.size());
}

}  // namespace fanfare::access
