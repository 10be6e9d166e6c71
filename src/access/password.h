#pragma once
// Passwords as Bitcoin Core keeps them: "rpcauth=USER:SALT$HMAC", where HMAC is HMAC-SHA256 of the password with the
// salt as its key, in hexadecimal. A plain rpcpassword is turned into this form at once. Any thread.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "access/digest.h"
#include "base/random.h"

namespace fanfare::access {

struct PasswordHash {
  std::string user;
  std::string salt;
  Digest hmac{};

  bool operator==(const PasswordHash&) const = default;
};

// "alice:0f1e...$9a8b...", without "rpcauth=". The error names what is wrong, never the text.
std::expected<PasswordHash, std::string> parse_rpcauth(std::string_view text);
// With a fresh salt of 16 bytes.
PasswordHash hash_password(std::string user, std::string_view password, Random& random);
// With a salt that is random and the same for the user as long as the process runs: the hash changes only with the password.
PasswordHash hash_password(std::string user, std::string_view password);
// "user:salt$hmac", which parse_rpcauth() reads.
std::string rpcauth_text(const PasswordHash& hash);
// In constant time for one password, whatever the hash is.
bool has_password(const PasswordHash& hash, std::string_view password);

// Bitcoin Core's cookie: the user of a local program that can read the file.
inline constexpr std::string_view kCookieUser = "__cookie__";

// Why a cookie file cannot be written at a path: what is there is not one that was left, and would be lost.
struct CookiePlaceProblem {
  std::string path;              // this one, or that of the file beside it
  std::string text;              // "is a symbolic link"
  bool is_of_this_user = false;  // another user may be able to read what is there
};
// Empty: nothing is there, an empty file, or a cookie file.
std::optional<CookiePlaceProblem> cookie_place_problem(const std::string& path);

// A file with a fresh password, for programs of the same user: "__cookie__:PASSWORD", mode 0600. It is removed by the
// destructor, if it is still the file that was written. What is at the path is replaced only if it is a cookie file.
class CookieFile {
 public:
  // The error is for the operator. The file is written beside the path, as PATH.tmp, and renamed, so a reader never sees a part.
  static std::expected<CookieFile, std::string> create(std::string path, Random& random);
  // The same without the file, which publish() writes. It is an error already if it could not be written now.
  static std::expected<CookieFile, std::string> prepare(std::string path, Random& random);
  std::expected<void, std::string> publish();
  CookieFile(CookieFile&& other) noexcept;
  CookieFile& operator=(CookieFile&&) = delete;
  CookieFile(const CookieFile&) = delete;
  CookieFile& operator=(const CookieFile&) = delete;
  ~CookieFile();

  const PasswordHash& hash() const { return hash_; }
  // A process that still runs had written the file before: its clients cannot read its cookie any more.
  bool was_in_use() const { return was_in_use_; }
  // Writes the file again if it is gone, because another process that used it has ended. True: it was, and is there again.
  bool restore_if_gone();
  // The same if the file is of another process.
  bool take_back();

 private:
  CookieFile(std::string path, PasswordHash hash, std::string content, bool was_in_use)
      : path_(std::move(path)),
        hash_(std::move(hash)),
        content_(std::move(content)),
        was_in_use_(was_in_use) {}
  static CookieFile make(std::string path, Random& random);
  std::expected<void, std::string> write();
  // Whether the file is still the one that was written.
  bool is_there() const;

  std::string path_;  // empty: moved from
  PasswordHash hash_;
  std::string content_;
  bool was_in_use_ = false;
  std::uint64_t device_ = 0;  // of the file that was written
  std::uint64_t inode_ = 0;   // 0: none was
  int locked_ = -1;           // the file, with a lock as long as this process uses it
};

}  // namespace fanfare::access
