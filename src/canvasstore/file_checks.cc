#include "canvasstore/file_checks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/text.h"
#include "canvasstore/past_file.h"

namespace fanfare::canvasstore {

using store::Problem;
using store::Statement;

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
  std::error_code error;
  if (path.empty()) return "";
  const auto whole = std::filesystem::absolute(path, error);
  auto resolved = std::filesystem::weakly_canonical(whole, error);
  return error ? whole.string() : resolved.string();
}

std::expected<void, Problem> make_file(const std::string& path, const store::CommitMark& mark) {
  const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (made < 0) return std::unexpected(store::system_problem(joined({"cannot open ", path}), errno));
  struct stat is = {};
  const bool is_known = ::fstat(made, &is) == 0;
  ::close(made);
  if (!is_known) return std::unexpected(store::system_problem(joined({"cannot open ", path}), errno));
  // The write-ahead log and the lock go by name, so another name would be another room on the same pages.
  if (is.st_nlink > 1) {
    return std::unexpected(Problem{
        .message =
            joined({path, " has a second name (a hard link), under which another program could write it"})});
  }
  if (is.st_size == 0) return check_unmarked(path, mark);
  return {};
}

std::expected<void, Problem> check_unmarked(const std::string& path, const store::CommitMark& mark) {
  if (mark.read().value_or(0) == 0) return {};
  return std::unexpected(Problem{
      .message =
          joined({path, " is empty or gone, but ", store::CommitMark::path_of(path),
                  " says that people drew there: restore it, or delete that file to begin an empty room"})});
}

}  // namespace fanfare::canvasstore
