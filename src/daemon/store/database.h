#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace aiot::store {

class Database;

/// Bytes that are no text, as a parameter.
struct Blob {
  std::string_view bytes;
};

/// The rows of a query, one after the other; what text() and blob() show lives until next().
class Rows {
 public:
  Rows(Database& database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows();

  /// False at the end, and when it failed: then Database::good() is false too.
  bool next();
  [[nodiscard]] std::int64_t integer(int column) const;
  /// Text or blob.
  [[nodiscard]] std::string_view bytes(int column) const;
  [[nodiscard]] std::string string(int column) const { return std::string(bytes(column)); }
  [[nodiscard]] sqlite3_stmt* native() const { return statement_; }

 private:
  Database& database_;
  sqlite3_stmt* statement_;
};

/// What to do about a failure of SQLite.
enum class Failure : std::uint8_t {
  none,
  passing,  ///< a full disk, a lock: may be gone when tried again
  damaged,  ///< the file is not, or no more, what was written
};

/// An SQLite connection. A failure sticks: all that follows does nothing until clear(), so that a chain of
/// statements is looked at once, at its end. One thread at a time.
class Database {
 public:
  enum class Mode : std::uint8_t { create, read_only };
  /// A connection that may be good() or not.
  static std::unique_ptr<Database> open(const std::string& path, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs statements without parameters.
  bool execute(const char* sql);
  /// Runs one; it is prepared once, so `sql` is a literal.
  template <class... Arguments>
  bool run(const char* sql, const Arguments&... arguments) {
    Rows rows(*this, prepared(sql));
    bind(rows.native(), arguments...);
    rows.next();
    return good();
  }
  template <class... Arguments>
  Rows query(const char* sql, const Arguments&... arguments) {
    sqlite3_stmt* statement = prepared(sql);
    bind(statement, arguments...);
    return {*this, statement};
  }
  /// The first column of the first row; `otherwise` without one.
  template <class... Arguments>
  std::int64_t number(const char* sql, std::int64_t otherwise, const Arguments&... arguments) {
    Rows rows = query(sql, arguments...);
    return rows.next() ? rows.integer(0) : otherwise;
  }

  bool begin() { return execute("BEGIN IMMEDIATE"); }
  /// Commits; when anything failed since begin(), takes it all back, and is false.
  bool commit();

  [[nodiscard]] bool good() const { return failure_ == Failure::none; }
  [[nodiscard]] Failure failure() const { return failure_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  void clear() { failure_ = Failure::none; }
  /// Says that what is in it cannot be right.
  void reject(std::string_view why);

  [[nodiscard]] std::int64_t last_id() const;  ///< of the last row inserted
  [[nodiscard]] sqlite3* native() const { return handle_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  friend class Rows;
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  sqlite3_stmt* prepared(const char* sql);
  void check(int code);

  template <class... Arguments>
  void bind([[maybe_unused]] sqlite3_stmt* statement, const Arguments&... arguments) {
    [[maybe_unused]] int index = 0;
    (bind_one(statement, ++index, arguments), ...);
  }
  template <class T>
  requires std::is_integral_v<T>
  void bind_one(sqlite3_stmt* statement, int index, T number) {
    bind_integer(statement, index, static_cast<std::int64_t>(number));
  }
  void bind_one(sqlite3_stmt* statement, int index, std::string_view text) {
    bind_text(statement, index, text);
  }
  void bind_one(sqlite3_stmt* statement, int index, const Blob& blob) {
    bind_blob(statement, index, blob.bytes);
  }
  void bind_integer(sqlite3_stmt* statement, int index, std::int64_t number);
  void bind_text(sqlite3_stmt* statement, int index, std::string_view text);
  void bind_blob(sqlite3_stmt* statement, int index, std::string_view bytes);

  sqlite3* handle_;
  std::string path_;
  std::map<const char*, sqlite3_stmt*> statements_;
  Failure failure_ = Failure::none;
  std::string message_;
};

}  // namespace aiot::store
