#include "daemon/store/schema.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "core/base/folders.h"

namespace aiot::store {
namespace {

constexpr std::int64_t kApplicationId = 0x61696F74;  ///< "aiot"

// AUTOINCREMENT where a number must never come back: `applied` is compared with arrival ids, logs name
// series.
constexpr const char* kVersion1 = R"(
CREATE TABLE node(
  id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL,
  known INTEGER NOT NULL DEFAULT 0,        -- 0: history without a node's record
  protocol TEXT, address TEXT, address_kind INTEGER, gateway TEXT, state INTEGER, hidden INTEGER,
  first_seen INTEGER, last_seen INTEGER, resets INTEGER, timeouts INTEGER, rejected_writes INTEGER,
  labels BLOB);
CREATE TABLE series(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  node INTEGER NOT NULL,                   -- 0: forgotten, its chunks are to go
  resource TEXT NOT NULL,
  applied INTEGER NOT NULL DEFAULT 0,      -- arrivals up to this one are in chunk and last
  last BLOB);                              -- the last value
CREATE INDEX series_node ON series(node);
CREATE TABLE arrival(id INTEGER PRIMARY KEY AUTOINCREMENT, crc INTEGER NOT NULL, log BLOB NOT NULL);
CREATE TABLE chunk(
  id INTEGER PRIMARY KEY,                  -- series * 2^24 + its number there
  series INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, "end" INTEGER NOT NULL,
  count INTEGER NOT NULL, points BLOB NOT NULL);
CREATE INDEX chunk_series ON chunk(series, last, first, count);
CREATE INDEX chunk_last ON chunk(last, count);
CREATE TABLE gateway(
  name TEXT PRIMARY KEY, site TEXT, software TEXT, native INTEGER, last_seen INTEGER) WITHOUT ROWID;
CREATE TABLE stream(
  gateway TEXT, id TEXT, sequence INTEGER NOT NULL, used INTEGER NOT NULL,
  PRIMARY KEY(gateway, id)) WITHOUT ROWID;
CREATE TABLE event(
  id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, type TEXT, gateway TEXT, uid TEXT, message TEXT,
  data TEXT);
CREATE INDEX event_uid ON event(uid);
CREATE TABLE kept_write(key TEXT PRIMARY KEY, begun INTEGER NOT NULL, outcome TEXT) WITHOUT ROWID;
CREATE INDEX kept_write_begun ON kept_write(begun);
)";

constexpr std::array kCompanions{"", "-wal", "-shm"};

/// One by one, since a damaged table must not keep the next from being read.
struct Salvaged {
  const char* read;
  const char* write;
  int columns;
};
constexpr Salvaged kSalvaged[] = {
    {"SELECT * FROM node", "INSERT OR IGNORE INTO node VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", 15},
    {"SELECT * FROM series", "INSERT OR IGNORE INTO series VALUES(?,?,?,?,?)", 5},
    {"SELECT * FROM arrival", "INSERT OR IGNORE INTO arrival VALUES(?,?,?)", 3},
    {"SELECT * FROM gateway", "INSERT OR IGNORE INTO gateway VALUES(?,?,?,?,?)", 5},
    {"SELECT * FROM stream", "INSERT OR IGNORE INTO stream VALUES(?,?,?,?)", 4},
    {"SELECT * FROM kept_write", "INSERT OR IGNORE INTO kept_write VALUES(?,?,?)", 3},
    // The numbers go on where they were.
    {"SELECT seq, name FROM sqlite_sequence", "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?",
     2},
    {"SELECT name, seq FROM sqlite_sequence",
     "INSERT INTO sqlite_sequence SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = "
     "?1)",
     2},
};

std::size_t big_endian(std::string_view bytes) {
  std::size_t out = 0;
  for (const char byte : bytes) out = out << 8 | static_cast<unsigned char>(byte);
  return out;
}

/// A file shorter than its head says ("Database File Format", section 1.3), which SQLite notices only where
/// it reads. With a write-ahead log the end may be in that.
bool cut_short(int fd, const std::string& path) {
  struct stat file {};
  struct stat log {};
  char head[32];
  if (::fstat(fd, &file) != 0 || file.st_size == 0) return false;
  if (::pread(fd, head, sizeof head, 0) != static_cast<ssize_t>(sizeof head)) return true;
  if (::stat((path + "-wal").c_str(), &log) == 0 && log.st_size != 0) return false;
  const auto page = big_endian({head + 16, 2});
  const auto pages = big_endian({head + 28, 4});
  return static_cast<std::size_t>(file.st_size) < pages * (page == 1 ? 65'536 : page);
}

/// Brings the tables to the last version, in one transaction.
void migrate(Database& database, std::int64_t version, const std::vector<const char*>& steps) {
  if (version == static_cast<std::int64_t>(steps.size())) return;
  database.begin();
  for (auto at = static_cast<std::size_t>(version); at < steps.size(); ++at) database.execute(steps[at]);
  database.execute(
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, steps.size())
          .c_str());
  database.commit();
}

}  // namespace

const std::vector<const char*>& schema_steps() {
  static const std::vector<const char*> steps{kVersion1};
  return steps;
}

Result<std::unique_ptr<Database>> open_database(const std::string& path,
                                                const std::vector<const char*>& steps) {
  // SQLite would say no more than "unable to open database file".
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error("cannot use " + path, errno);
  const bool cut = cut_short(fd, path);
  ::close(fd);

  auto database = Database::open(path, Database::Mode::create);
  if (cut) database->reject("it is cut short");
  const std::int64_t tables = database->number("SELECT count(*) FROM sqlite_schema", 0);
  const std::int64_t version = database->number("PRAGMA user_version", 0);
  const std::int64_t application = database->number("PRAGMA application_id", 0);
  if (database->good() && application == kApplicationId &&
      version > static_cast<std::int64_t>(steps.size())) {
    return make_error(Errc::internal,
                      fmt::format("{} was written by a newer aiot (its version is {}, this one "
                                  "knows up to {}): use that, or another state directory",
                                  path, version, steps.size()));
  }
  if (tables != 0 && (application != kApplicationId || version < 1))
    database->reject("it is not a store of aiot");
  if (tables == 0) database->execute("PRAGMA auto_vacuum = INCREMENTAL");
  // FULL: what is acknowledged to a gateway is gone from its journal, so it must outlive a power failure.
  database->execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;"
      "PRAGMA cache_size = -32768; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA trusted_schema "
      "= OFF; PRAGMA temp_store = "
      "MEMORY");
  migrate(*database, tables == 0 ? 0 : version, steps);
  if (database->failure() == Failure::passing)
    return make_error(Errc::internal, "cannot use " + database->message());
  return database;
}

Result<std::string> set_aside(const std::string& path) {
  std::string name;
  struct stat exists {};
  for (int number = 1; name.empty(); ++number) {
    const std::string candidate = fmt::format("{}.damaged-{}", path, number);
    if (::lstat(candidate.c_str(), &exists) != 0) name = candidate;
  }
  for (const char* companion : kCompanions) {
    if (::rename((path + companion).c_str(), (name + companion).c_str()) != 0 && errno != ENOENT)
      return errno_error(fmt::format("cannot rename {}{}", path, companion), errno);
  }
  return name;
}

std::uint64_t salvage(const std::string& damaged, Database& into) {
  std::uint64_t rows = 0;
  into.begin();
  for (const auto& table : kSalvaged) {
    // A connection each: a failure sticks.
    const auto from = Database::open(damaged, Database::Mode::read_only);
    Rows read = from->query(table.read);
    while (into.good() && read.next()) {
      Rows write = into.query(table.write);
      for (int column = 0; column < table.columns && write.native() != nullptr; ++column)
        sqlite3_bind_value(write.native(), column + 1, sqlite3_column_value(read.native(), column));
      write.next();
      // A row that its table does not take (a NULL, say) is damage too.
      if (into.failure() == Failure::damaged) into.clear();
      ++rows;
    }
  }
  // No chunk came along, so all of the log counts.
  into.execute(
      "UPDATE series SET applied = 0; UPDATE series SET node = 0 WHERE node NOT IN (SELECT id FROM node)");
  return into.commit() ? rows : 0;
}

Result<std::unique_ptr<FolderLock>> FolderLock::take(const std::string& folder) {
  auto made = make_private_folders(folder);
  if (!made) return made.error();
  const std::string path = folder + "/broker.lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error("cannot use " + path, errno);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(fd);
    if (error == EWOULDBLOCK)
      return make_error(Errc::internal,
                        fmt::format("{} is in use by another broker ({} is locked)", folder, path));
    return errno_error("cannot lock " + path, error);
  }
  return std::unique_ptr<FolderLock>(new FolderLock(fd));
}

FolderLock::~FolderLock() { ::close(fd_); }

}  // namespace aiot::store
