#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/store/schema.h"
#include "daemon/store/store.h"
#include "support/temporary_folder.h"
#include "support/test_loop.h"

namespace aiot::test {

using namespace std::chrono_literals;

/// 2026-01-31T12:00:00Z and some milliseconds.
inline WallTime at(std::int64_t ms) { return WallTime(std::chrono::milliseconds(1'769'860'800'000 + ms)); }

inline store::ValueView value(std::string_view resource, std::string_view bytes, WallTime time) {
  store::ValueView out;
  out.resource = resource;
  out.bytes = bytes;
  out.time = time;
  return out;
}

inline store::NodeRecord node_record(const std::string& uid) {
  store::NodeRecord node;
  node.uid = uid;
  node.protocol = "CoAP";
  node.gateway = "paris";
  return node;
}

/// A store on a loop of its own, opened and ended like a broker's.
class StoreHost {
 public:
  explicit StoreHost(std::string folder) {
    options.folder = std::move(folder);
    options.max_age = Duration::zero();
  }
  ~StoreHost() {
    if (store) kill();
  }
  StoreHost(const StoreHost&) = delete;
  StoreHost& operator=(const StoreHost&) = delete;

  /// Empty, or why not.
  std::string try_open() {
    store::Options told;
    told.folder = options.folder;
    told.max_age = options.max_age;
    told.max_bytes = options.max_bytes;
    told.checkpoint_points = options.checkpoint_points;
    told.notice = [this](const std::string& type, const std::string& message) {
      notices.emplace_back(type, message);
    };
    restored = {};
    auto opened = store::open_sqlite_store(loop.loop(), std::move(told), restored);
    if (!opened) return opened.error().message;
    store = std::move(*opened);
    return {};
  }
  void open() { REQUIRE(try_open() == ""); }
  /// Without a last word, as a process that is killed: what is not committed is gone.
  void kill() {
    store.reset();
    // A job of it may run still, and have the lock.
    loop.run_until([&] { return store::FolderLock::take(options.folder).has_value(); });
  }
  void close() {
    bool closed = false;
    store->close([&](Result<> result) {
      CHECK(result);
      closed = true;
    });
    REQUIRE(loop.run_until([&] { return closed; }));
    store.reset();
  }
  void reopen() {
    kill();
    open();
  }
  void commit(std::string_view gateway = "", std::string_view stream = "", std::uint64_t sequence = 0) {
    bool done = false;
    store->commit(gateway, stream, sequence, [&](Result<> result) {
      CHECK(result);
      done = true;
    });
    CHECK_FALSE(done);  // never inside the call
    REQUIRE(loop.run_until([&] { return done; }, 60s));
  }
  void put(std::string_view uid, std::string_view resource, std::string_view bytes, WallTime time) {
    store->update(uid, value(resource, bytes, time));
  }

  Result<store::HistoryPage> try_history(store::HistoryQuery query) {
    std::optional<Result<store::HistoryPage>> page;
    const auto operation = store->history(std::move(query), [&](auto result) { page = std::move(result); });
    CHECK_FALSE(page);
    REQUIRE(loop.run_until([&] { return page.has_value(); }, 60s));
    return std::move(*page);
  }
  store::HistoryPage history(store::HistoryQuery query) {
    auto page = try_history(std::move(query));
    REQUIRE(page);
    return std::move(*page);
  }
  /// All points of a resource, page by page, as "bytes".
  std::vector<std::string> all(const std::string& uid, const std::string& resource,
                               std::size_t limit = 1000) {
    std::vector<std::string> out;
    store::HistoryQuery query;
    query.uid = uid;
    query.resource = resource;
    query.limit = limit;
    do {
      auto page = history(query);
      REQUIRE(page.points.size() <= limit);
      for (auto& point : page.points) out.push_back(std::move(point.bytes));
      query.cursor = page.next;
    } while (!query.cursor.empty());
    return out;
  }
  std::vector<store::Event> events(store::EventQuery query) {
    std::optional<std::vector<store::Event>> found;
    const auto operation = store->events(std::move(query), [&](auto result) {
      REQUIRE(result);
      found = std::move(*result);
    });
    REQUIRE(loop.run_until([&] { return found.has_value(); }));
    return std::move(*found);
  }
  /// Until a checkpoint has moved all points out of the log.
  bool until_checkpointed(int points) {
    return loop.run_until([&] { return number("SELECT count(*) FROM arrival") == 0; }, 60s) &&
           number("SELECT coalesce(sum(count), 0) FROM chunk") == points;
  }
  /// What another connection to the database says.
  [[nodiscard]] std::int64_t number(const char* sql) const;
  [[nodiscard]] const store::Restored::Node* restored_node(std::string_view uid) const {
    for (const auto& node : restored.nodes)
      if (node.record.uid == uid) return &node;
    return nullptr;
  }
  /// "resource=bytes" of a node, in order of name.
  [[nodiscard]] std::vector<std::string> restored_values(std::string_view uid) const;
  [[nodiscard]] std::string path() const { return options.folder + "/history.db"; }

  TestLoop loop;
  store::Options options;
  store::Restored restored;
  std::unique_ptr<store::Store> store;
  std::vector<std::pair<std::string, std::string>> notices;
};

}  // namespace aiot::test
