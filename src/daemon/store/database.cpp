#include "daemon/store/database.h"

#include <fmt/core.h>
#include <sqlite3.h>

namespace aiot::store {
namespace {

constexpr int kBusyMs = 250;  ///< another program may look at the database, and lock it for a moment

Failure failure_of(int code) {
  switch (code & 0xFF) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return Failure::none;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // a table that is not there any more
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_FORMAT: return Failure::damaged;
    default: return Failure::passing;
  }
}

}  // namespace

Rows::~Rows() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool Rows::next() {
  if (statement_ == nullptr || !database_.good()) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  database_.check(code);
  return false;
}

std::int64_t Rows::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view Rows::bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::unique_ptr<Database> Database::open(const std::string& path, Mode mode) {
  sqlite3* handle = nullptr;
  const int flags =
      mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(handle, path));
  database->check(code);
  if (handle != nullptr) {
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, kBusyMs);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  }
  return database;
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

void Database::check(int code) {
  const auto failure = failure_of(code);
  if (failure == Failure::none || !good()) return;
  failure_ = failure;
  const bool full = (code & 0xFF) == SQLITE_FULL;
  message_ = fmt::format("{}: {}", path_,
                         full                 ? "no space left"
                         : handle_ == nullptr ? sqlite3_errstr(code)
                                              : sqlite3_errmsg(handle_));
}

void Database::reject(std::string_view why) {
  if (!good()) return;
  failure_ = Failure::damaged;
  message_ = fmt::format("{}: {}", path_, why);
}

bool Database::execute(const char* sql) {
  if (good()) check(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr));
  return good();
}

bool Database::commit() {
  if (good()) execute("COMMIT");
  if (good()) return true;
  // A full disk or an I/O error may have rolled back already.
  if (handle_ != nullptr && sqlite3_get_autocommit(handle_) == 0)
    sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  return false;
}

std::int64_t Database::last_id() const { return sqlite3_last_insert_rowid(handle_); }

sqlite3_stmt* Database::prepared(const char* sql) {
  if (!good()) return nullptr;
  auto& statement = statements_[sql];
  if (statement == nullptr)
    check(sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
  return statement;
}

void Database::bind_integer(sqlite3_stmt* statement, int index, std::int64_t number) {
  if (statement != nullptr) check(sqlite3_bind_int64(statement, index, number));
}

// The caller's bytes live until the statement is reset.
void Database::bind_text(sqlite3_stmt* statement, int index, std::string_view text) {
  if (statement == nullptr) return;
  check(sqlite3_bind_text64(statement, index, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC,
                            SQLITE_UTF8));
}

void Database::bind_blob(sqlite3_stmt* statement, int index, std::string_view bytes) {
  if (statement == nullptr) return;
  check(
      sqlite3_bind_blob64(statement, index, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC));
}

}  // namespace aiot::store
