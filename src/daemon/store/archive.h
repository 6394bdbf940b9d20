#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/store/database.h"
#include "daemon/store/group.h"
#include "daemon/store/head.h"
#include "daemon/store/upkeep.h"

namespace aiot::store {

/// What open() found.
struct Loaded {
  Restored restored;
  std::vector<NodeName> nodes;
  std::vector<SeriesName> series;
  std::vector<StreamPosition> streams;  ///< of a gateway in the order of use
  NodeId next_node = 1;
  SeriesId next_series = 1;
};

/// The database and what it does not have yet by series: the worker's half of the store, used by one job at a
/// time.
class Archive {
 public:
  Archive(std::string path, Limits limits) : path_(std::move(path)), limits_(limits) {}

  /// Opens and reads all; a damaged file is set aside, which `notices` tells. Errors as open_database().
  Result<> open(Loaded& loaded, std::vector<std::string>& notices);
  /// In one transaction, or not at all: then failure() tells why.
  bool commit(const Group& group);
  /// A bounded piece of what has to be done from time to time; true when there is more.
  bool maintain(WallTime now);
  /// A checkpoint or another chore waits for maintain().
  [[nodiscard]] bool busy() const { return upkeep_ && upkeep_->due(); }

  [[nodiscard]] Failure failure() const { return database_ ? database_->failure() : Failure::passing; }
  [[nodiscard]] std::string message() const { return database_ ? database_->message() : message_; }
  /// Opens what could not be, or sets aside what is damaged. True when the file is another one now
  /// (`recovered()` tells), which may not have the names.
  bool recover();
  [[nodiscard]] const std::string& recovered() const { return recovered_; }
  void close();

  /// Null while it cannot be opened.
  [[nodiscard]] Database* database() { return database_.get(); }
  [[nodiscard]] Head& head() { return head_; }
  [[nodiscard]] std::uint64_t expired() const { return expired_; }
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  bool load(Loaded& loaded, std::vector<std::string>& notices);
  void load_nodes(Loaded& loaded);
  void load_arrivals(std::vector<std::string>& notices);
  void load_rest(Loaded& loaded);
  Result<std::string> replace(const std::string& why);
  void write(const Change& change);

  std::string path_;
  Limits limits_;
  std::unique_ptr<Database> database_;
  Head head_;
  std::unique_ptr<Upkeep> upkeep_;
  std::int64_t last_arrival_ = 0;
  std::uint64_t expired_ = 0;
  std::string message_;  ///< why there is no database
  std::string recovered_;
  std::chrono::steady_clock::time_point replaced_{};
};

}  // namespace aiot::store
