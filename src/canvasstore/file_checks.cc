#include "canvasstore/file_checks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <system_error>

#include "base/text.h"
#include "canvasstore/past_file.h"

namespace fanfare::canvasstore {

using store::Problem;
using store::Statement;

namespace {

// As many as the system follows.
constexpr int kLinksMax = 40;

struct Claimed {
  std::mutex mutex;  // guards what follows
  std::set<FileIdentity> files;
};

Claimed& claimed_files() {
  static Claimed claimed;
  return claimed;
}

}  // namespace

std::expected<void, Problem> check_pages(sqlite3* database) {
  Statement pages(database, "PRAGMA quick_check(1)");
  if (!pages.step()) return std::unexpected(store::problem_of(database, "cannot check the file"));
  // SQLite answers in lines.
  std::string found(pages.text(0));
  std::ranges::replace(found, '\n', ' ');
  if (found != "ok") return std::unexpected(damage(found));
  return {};
}

// SQLite has names of its own, such as ":memory:". And it resolves symbolic links: the mark must be beside the same file.
std::string resolved_path(const std::string& path) {
  if (path.empty()) return "";
  std::error_code error;
  const auto whole = std::filesystem::absolute(path, error);
  auto resolved = std::filesystem::weakly_canonical(whole, error);
  // A link to a file that does not exist counts as a name that does not exist. SQLite makes the file.
  for (int links = 0; !error && links < kLinksMax; ++links) {
    std::error_code is_no_link;
    const auto target = std::filesystem::read_symlink(resolved, is_no_link);
    if (is_no_link) return resolved.string();
    resolved = std::filesystem::weakly_canonical(resolved.parent_path() / target, error);
  }
  return whole.string();
}

std::optional<std::string> place_problem(const std::string& path) {
  if (path.empty()) return std::nullopt;
  const std::size_t name_bytes = std::filesystem::path(path).filename().string().size();
  if (name_bytes > kFileNameBytesMax) {
    return joined({"its name has ", std::to_string(name_bytes), " bytes, expected at most ",
                   std::to_string(kFileNameBytesMax), ", so that FILE-journal can be a name"});
  }
  if (path.size() > kFilePathBytesMax) {
    return joined({"its whole path has ", std::to_string(path.size()), " bytes, expected at most ",
                   std::to_string(kFilePathBytesMax)});
  }
  struct stat is = {};
  if (::stat(path.c_str(), &is) == 0) {
    if (S_ISDIR(is.st_mode)) return "it is a directory, expected a file";
    if (!S_ISREG(is.st_mode)) return "it is a device, a pipe or a socket, expected a file";
    // The write-ahead log and the lock go by name, so another name would be another room on the same pages.
    if (is.st_nlink > 1)
      return "it has a second name (a hard link), under which another program could write it";
  } else if (errno == ELOOP) {
    return "it is a symbolic link that leads back to itself";
  }
  for (const std::string_view ending : kCompanionEndings) {
    const std::string companion = joined({path, ending});
    if (::lstat(companion.c_str(), &is) != 0) continue;
    // The mark is the only one that is not SQLite's, which follows no link there.
    const bool is_good = S_ISREG(is.st_mode) || (S_ISLNK(is.st_mode) && ending == "-mark");
    if (!is_good) return joined({companion, " beside it is not a plain file"});
  }
  return std::nullopt;
}

std::optional<FileIdentity> identity_of(const std::string& path) {
  struct stat is = {};
  if (path.empty() || ::stat(path.c_str(), &is) != 0) return std::nullopt;
  return FileIdentity{.device = is.st_dev, .inode = is.st_ino};
}

std::expected<FileClaim, Problem> FileClaim::make(const std::string& path) {
  const auto file = identity_of(path);
  if (!file) return std::unexpected(store::system_problem(joined({"cannot open ", path}), errno));
  Claimed& claimed = claimed_files();
  const std::scoped_lock lock(claimed.mutex);
  if (!claimed.files.insert(*file).second) {
    return std::unexpected(Problem{.message = joined({"cannot open ", path,
                                                      ": it is the file of another room of this program, "
                                                      "perhaps under another name"})});
  }
  FileClaim claim;
  claim.file_ = file;
  return claim;
}

FileClaim::~FileClaim() {
  if (!file_) return;
  Claimed& claimed = claimed_files();
  const std::scoped_lock lock(claimed.mutex);
  claimed.files.erase(*file_);
}

std::expected<FileClaim, Problem> make_file(const std::string& path, const store::CommitMark& mark) {
  // To open and close a file that another room has open would take its locks away.
  FileClaim claim;
  if (identity_of(path)) {
    auto claimed = FileClaim::make(path);
    if (!claimed) return claimed;
    claim = *std::move(claimed);
  }
  const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (made < 0) return std::unexpected(store::system_problem(joined({"cannot open ", path}), errno));
  struct stat is = {};
  const bool is_known = ::fstat(made, &is) == 0;
  ::close(made);
  if (!is_known) return std::unexpected(store::system_problem(joined({"cannot open ", path}), errno));
  if (is.st_size == 0) {
    if (auto unmarked = check_unmarked(path, mark); !unmarked) return std::unexpected(unmarked.error());
  }
  return claim.is_empty() ? FileClaim::make(path) : std::move(claim);
}

std::expected<void, Problem> check_unmarked(const std::string& path, const store::CommitMark& mark) {
  if (mark.read().value_or(0) == 0) return {};
  return std::unexpected(Problem{
      .message =
          joined({path, " is empty or gone, but ", store::CommitMark::path_of(path),
                  " says that people drew there: restore it, or delete that file to begin an empty room"})});
}

}  // namespace fanfare::canvasstore
