#include "store/statement.h"

#include <sqlite3.h>

#include <cerrno>
#include <system_error>

#include "base/text.h"

namespace fanfare::store {
namespace {

// SQLite has names of its own for some.
int system_code_of(sqlite3* database, int code) {
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return EBUSY;
    case SQLITE_FULL:
      return ENOSPC;
    case SQLITE_NOMEM:
      return ENOMEM;
    default: {
      const int system_code = sqlite3_system_errno(database);
      return system_code == 0 ? EIO : system_code;
    }
  }
}

}  // namespace

Problem problem_of(sqlite3* database, std::string_view doing) {
  const int code = sqlite3_errcode(database);
  std::string message = joined({doing, ": ", sqlite3_errmsg(database)});
  const int system_code = sqlite3_system_errno(database);
  if ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && system_code != 0) {
    message += " (errno " + std::to_string(system_code) + ")";
  }
  return {.message = std::move(message),
          .is_damage = code == SQLITE_CORRUPT || code == SQLITE_NOTADB,
          .system_code = system_code_of(database, code)};
}

Problem system_problem(std::string_view doing, int code) {
  return {.message = joined({doing, ": ", std::generic_category().message(code)}), .system_code = code};
}

Statement::Statement(sqlite3* database, std::string_view text) {
  failed_ = sqlite3_prepare_v3(database, text.data(), static_cast<int>(text.size()),
                               SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) != SQLITE_OK;
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement& Statement::bind(int index, std::int64_t number) {
  sqlite3_bind_int64(statement_, index, number);
  return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
  sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind(int index, Bytes blob) {
  if (blob.empty()) {
    sqlite3_bind_zeroblob(statement_, index, 0);  // a null pointer would mean NULL
  } else {
    sqlite3_bind_blob64(statement_, index, blob.data(), blob.size(), SQLITE_STATIC);
  }
  return *this;
}

bool Statement::step() {
  if (statement_ == nullptr) return false;
  const int code = sqlite3_step(statement_);
  failed_ = code != SQLITE_ROW && code != SQLITE_DONE;
  return code == SQLITE_ROW;
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool Statement::run() {
  while (step()) {
  }
  const bool failed = failed_;
  reset();
  return !failed;
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
  const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text == nullptr
             ? std::string_view()
             : std::string_view(text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

Bytes Statement::blob(int column) const {
  const auto* const bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  return bytes == nullptr ? Bytes()
                          : Bytes(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

}  // namespace fanfare::store
