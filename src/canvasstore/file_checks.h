#pragma once
// Whether a path can be the file of a room, before and after SQLite has opened it.

#include <sys/types.h>

#include <array>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "store/commit_mark.h"
#include "store/statement.h"

namespace fanfare::canvasstore {

// What a room's files end with, beside the file itself. SQLite removes a FILE-journal that it finds, so that is one, too.
inline constexpr std::array<std::string_view, 4> kCompanionEndings{"-wal", "-shm", "-mark", "-journal"};
// Of the last part of a path, with the longest ending; and of a whole path, without one: what SQLite takes.
inline constexpr std::size_t kFileNameBytesMax = 255 - 8;
inline constexpr std::size_t kFilePathBytesMax = 504;

// What SQLite names the room's files after: absolute, without symbolic links. Also of a file that does not exist, or of a
// link to one. Empty stays empty.
std::string resolved_path(const std::string& path);
// Why this resolved path cannot be the file of a room, as far as can be said without opening it: a program that closes a
// SQLite file loses its locks on it. Empty: nothing.
std::optional<std::string> place_problem(const std::string& path);

// A file by its device and inode, whatever it is called.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;

  auto operator<=>(const FileIdentity&) const = default;
};
// Empty: it does not exist, or cannot be seen.
std::optional<FileIdentity> identity_of(const std::string& path);

// The claim of a room of this program on its file, until it is destroyed.
class FileClaim {
 public:
  FileClaim() = default;
  FileClaim(FileClaim&& other) noexcept : file_(std::exchange(other.file_, std::nullopt)) {}
  FileClaim& operator=(FileClaim&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  FileClaim(const FileClaim&) = delete;
  FileClaim& operator=(const FileClaim&) = delete;
  ~FileClaim();

  // The file must exist. Error: another room has it, perhaps under another name.
  static std::expected<FileClaim, store::Problem> make(const std::string& path);
  bool is_empty() const { return !file_; }

 private:
  std::optional<FileIdentity> file_;
};

// Creates the file if it does not exist. If the mark shows that it had data before, a missing or empty file is an error.
std::expected<FileClaim, store::Problem> make_file(const std::string& path, const store::CommitMark& mark);
// The file has no room in it: an error, if the mark shows that it had one.
std::expected<void, store::Problem> check_unmarked(const std::string& path, const store::CommitMark& mark);
// The structure of all pages: a row that SQLite does not find any more would have no checksum to fail.
std::expected<void, store::Problem> check_pages(sqlite3* database);

}  // namespace fanfare::canvasstore
