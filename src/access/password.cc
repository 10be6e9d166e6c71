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

// Zero, or errno.
int access_of(const std::string& path) {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 ? 0 : errno;
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

std::expected<CookieFile, std::string> CookieFile::create(std::string path, Random& random) {
  auto cookie = make(std::move(path), random);
  if (auto published = cookie.publish(); !published) {
    cookie.path_.clear();
    return std::unexpected(std::move(published.error()));
  }
  return cookie;
}

std::expected<CookieFile, std::string> CookieFile::prepare(std::string path, Random& random) {
  auto cookie = make(std::move(path), random);
  const std::string beside = cookie.path_ + ".tmp";
  if (const int code = write_private(beside, {}); code != 0) {
    auto error = failed(cookie.path_, code);
    cookie.path_.clear();
    return error;
  }
  unlink(beside.c_str());
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
  if (const int code = write(); code != 0) return failed(path_, code);
  return {};
}

// Beside the path, and then renamed.
int CookieFile::write() {
  const std::string beside = path_ + ".tmp";
  if (const int code = write_private(beside, content_); code != 0) return code;
  const int fd = open(beside.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0)
    flock(fd, LOCK_EX | LOCK_NB);  // only for was_in_use() of others: without locks nothing else is different
  if (std::rename(beside.c_str(), path_.c_str()) != 0) {
    const int code = errno;
    unlink(beside.c_str());
    if (fd >= 0) close(fd);
    return code;
  }
  if (locked_ >= 0) close(locked_);
  locked_ = fd;
  return 0;
}

bool CookieFile::restore_if_gone() {
  if (path_.empty() || access_of(path_) != ENOENT) return false;
  return write() == 0;
}

bool CookieFile::take_back() {
  if (path_.empty()) return false;
  const auto content = read_small_file(path_, kSecretBytesMax);
  return !(content && same_secret(*content, content_)) && write() == 0;
}

CookieFile::CookieFile(CookieFile&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      hash_(std::move(other.hash_)),
      content_(std::exchange(other.content_, {})),
      was_in_use_(other.was_in_use_),
      locked_(std::exchange(other.locked_, -1)) {}

CookieFile::~CookieFile() {
  if (locked_ >= 0) close(locked_);
  if (!path_.empty()) {
    const auto content = read_small_file(path_, kSecretBytesMax);
    if (content && same_secret(*content, content_)) unlink(path_.c_str());
  }
  OPENSSL_cleanse(content_.data(), content_.size());
}

}  // namespace fanfare::access
