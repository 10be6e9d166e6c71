#pragma once
// A prepared statement of SQLite, and the errors of a database. One thread at a time.
//
//   auto statement = Statement(database, "SELECT epoch FROM topics WHERE name = ?");
//   statement.bind(1, name);
//   while (statement.step()) epoch = statement.number(0);
//   if (statement.failed()) ...

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

struct sqlite3;
struct sqlite3_stmt;

namespace fanfare::store {

// Why the disk could not be read or written.
struct Problem {
  std::string message;
  bool is_damage = false;  // the file is not what was written; otherwise it may work again later
  int system_code = 0;     // the errno of the cause; zero: the system reported nothing
};

// Of the last call that failed.
Problem problem_of(sqlite3* database, std::string_view doing);
// Of a system call, by its errno.
Problem system_problem(std::string_view doing, int code);

class Statement {
 public:
  // The database outlives the statement. A text that SQLite cannot compile makes every step() fail.
  Statement(sqlite3* database, std::string_view text);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  Statement& bind(int index, std::int64_t number);
  Statement& bind(int index, std::uint64_t number) { return bind(index, static_cast<std::int64_t>(number)); }
  // The bytes stay valid until reset().
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, Bytes blob);

  // True: there is a row. False: there is no other, or the statement failed.
  bool step();
  bool failed() const { return failed_; }
  // For the next execution.
  void reset();
  // step() until the end, and reset(). False: it failed.
  bool run();

  std::int64_t number(int column) const;
  std::uint64_t unsigned_number(int column) const { return static_cast<std::uint64_t>(number(column)); }
  // Valid until the next step().
  std::string_view text(int column) const;
  Bytes blob(int column) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
  bool failed_ = false;
};

}  // namespace fanfare::store
