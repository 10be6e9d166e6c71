#pragma once
// The number of the last commit, in a small file beside the database: PATH-mark. It shows that commits were lost with
// the write-ahead log. One thread at a time.
//
//   0  commits   8 bytes, the machine's order
//   8  checksum  8 bytes, the CRC-32 of it

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "store/statement.h"

namespace fanfare::store {

class CommitMark {
 public:
  CommitMark() = default;
  CommitMark(const CommitMark&) = delete;
  CommitMark& operator=(const CommitMark&) = delete;
  ~CommitMark();

  static std::string path_of(const std::string& path) { return path + "-mark"; }
  // Whether there is a valid one for this database.
  static bool is_beside(const std::string& path);
  // Creates the file if there is none.
  std::expected<void, Problem> open(const std::string& path);
  // Empty: there is no valid one.
  std::optional<std::uint64_t> read() const;
  // Takes no space that the file did not have. False: errno says why.
  bool write(std::uint64_t commits) const;
  bool sync() const;

 private:
  int fd_ = -1;
};

}  // namespace fanfare::store
