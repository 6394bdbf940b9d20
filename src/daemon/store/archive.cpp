#include "daemon/store/archive.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <type_traits>

#include "daemon/store/schema.h"
#include "daemon/store/streams.h"

namespace aiot::store {
namespace {

constexpr auto kReplaceInterval =
    std::chrono::minutes(1);  ///< a disk that damages all it gets must not fill up

std::string pack_labels(const NodeRecord& node) {
  std::string out;
  for (const auto& [name, value] : node.labels) {
    put_text(out, name);
    put_text(out, value);
  }
  return out;
}

void unpack_labels(std::string_view bytes, NodeRecord& node) {
  ByteReader reader(bytes);
  while (!reader.at_end()) {
    const auto name = reader.text();
    const auto value = reader.text();
    if (!reader.good()) return;
    node.labels.emplace_back(name, value);
  }
}

std::uint64_t file_bytes(const std::string& path) {
  struct stat file {};
  return ::stat(path.c_str(), &file) == 0 ? static_cast<std::uint64_t>(file.st_size) : 0;
}

}  // namespace

Result<> Archive::open(Loaded& loaded, std::vector<std::string>& notices) {
  struct stat file {};
  const bool empty = ::stat(path_.c_str(), &file) == 0 && file.st_size == 0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto opened = open_database(path_);
    if (!opened) return std::move(opened).error();
    database_ = std::move(*opened);
    loaded = {};
    if (load(loaded, notices)) {
      if (empty && attempt == 0) notices.push_back(path_ + " was empty; begun anew");
      return {};
    }
    if (failure() != Failure::damaged) return make_error(Errc::internal, "cannot read " + message());
    auto replaced = replace(message());
    if (!replaced) return std::move(replaced).error();
    notices.push_back(std::move(*replaced));
  }
  return make_error(Errc::internal, "cannot use " + message());
}

Result<std::string> Archive::replace(const std::string& why) {
  database_.reset();
  replaced_ = std::chrono::steady_clock::now();
  auto name = set_aside(path_);
  if (!name) return std::move(name).error();
  auto opened = open_database(path_);
  if (!opened) return std::move(opened).error();
  const auto rows = salvage(*name, **opened);
  return fmt::format(
      "{} is damaged ({}): it is kept as {}, and a new one begun with {} rows of nodes and last values "
      "that could be read; older history and events are in the former alone",
      path_, why, *name, rows);
}

bool Archive::recover() {
  const bool damaged = database_ != nullptr;
  const auto now = std::chrono::steady_clock::now();
  if (damaged && replaced_ != decltype(replaced_)() && now - replaced_ < kReplaceInterval) return false;
  std::vector<std::string> notices;
  if (damaged) {
    auto replaced = replace(message());
    if (!replaced) {
      message_ = replaced.error().message;
      return false;
    }
    notices.push_back(std::move(*replaced));
  }
  Loaded loaded;
  if (auto opened = open(loaded, notices); !opened) {
    database_.reset();
    message_ = opened.error().message;
    return false;
  }
  recovered_ = notices.empty() ? path_ + " can be used again" : notices.front();
  return true;
}

void Archive::close() {
  upkeep_.reset();
  database_.reset();
}

std::uint64_t Archive::bytes() const { return file_bytes(path_) + file_bytes(path_ + "-wal"); }

bool Archive::load(Loaded& loaded, std::vector<std::string>& notices) {
  head_ = {};
  last_arrival_ = 0;
  upkeep_ = std::make_unique<Upkeep>(*database_, head_, limits_, expired_);
  load_nodes(loaded);
  load_arrivals(notices);
  load_rest(loaded);
  for (auto& name : loaded.series) {
    const Head::Series* series = head_.find(name.id);
    const auto value = series == nullptr ? std::nullopt : unpack_value(series->last);
    if (!value) continue;
    // Both are in the order of node ids.
    auto& nodes = loaded.restored.nodes;
    const auto at = std::lower_bound(loaded.nodes.begin(), loaded.nodes.end(), name.node,
                                     [](const NodeName& node, NodeId id) { return node.id < id; });
    if (at == loaded.nodes.end() || at->id != name.node) continue;
    auto& values = nodes[static_cast<std::size_t>(at - loaded.nodes.begin())].values;
    values.push_back(own(*value));
    values.back().resource = name.resource;
  }
  // A uid of which there are only values is no node.
  auto& nodes = loaded.restored.nodes;
  nodes.erase(
      std::remove_if(nodes.begin(), nodes.end(), [](const auto& node) { return node.record.uid.empty(); }),
      nodes.end());
  head_.loaded();
  return database_->good();
}

void Archive::load_nodes(Loaded& loaded) {
  {
    Rows rows = database_->query(
        "SELECT id, uid, known, protocol, address, address_kind, gateway, state, hidden, first_seen, "
        "last_seen, resets,"
        " timeouts, rejected_writes, labels FROM node ORDER BY id");
    while (rows.next()) {
      loaded.nodes.push_back({static_cast<NodeId>(rows.integer(0)), rows.string(1)});
      NodeRecord& node = loaded.restored.nodes.emplace_back().record;
      if (rows.integer(2) == 0) continue;
      node.uid = rows.string(1);
      node.protocol = rows.string(3);
      node.address = rows.string(4);
      node.address_kind = static_cast<std::uint8_t>(rows.integer(5));
      node.gateway = rows.string(6);
      const auto state = rows.integer(7);
      node.state = state >= 0 && state <= static_cast<int>(NodeState::out) ? static_cast<NodeState>(state)
                                                                           : NodeState::stale;
      node.hidden = rows.integer(8) != 0;
      node.first_seen = to_time(rows.integer(9));
      node.last_seen = to_time(rows.integer(10));
      node.resets = static_cast<std::uint64_t>(rows.integer(11));
      node.timeouts = static_cast<std::uint64_t>(rows.integer(12));
      node.rejected_writes = static_cast<std::uint64_t>(rows.integer(13));
      unpack_labels(rows.bytes(14), node);
    }
  }
  Rows rows =
      database_->query("SELECT id, node, resource, applied, last FROM series WHERE node <> 0 ORDER BY id");
  while (rows.next()) {
    const SeriesName name{static_cast<SeriesId>(rows.integer(0)), static_cast<NodeId>(rows.integer(1)),
                          rows.string(2)};
    head_.add(name.id, name.node, rows.integer(3), rows.bytes(4));
    loaded.series.push_back(name);
  }
}

void Archive::load_arrivals(std::vector<std::string>& notices) {
  std::uint64_t damaged = 0;
  Rows rows = database_->query("SELECT id, crc, log FROM arrival ORDER BY id");
  while (rows.next()) {
    last_arrival_ = rows.integer(0);
    const auto log = rows.bytes(2);
    if (checksum(log) != static_cast<std::uint32_t>(rows.integer(1)) || !head_.apply(log, last_arrival_))
      ++damaged;
  }
  if (damaged > 0)
    notices.push_back(
        fmt::format("{}: {} of the latest groups of updates are damaged and left out", path_, damaged));
}

void Archive::load_rest(Loaded& loaded) {
  const auto sequence = [&](const char* table) {
    return database_->number("SELECT seq FROM sqlite_sequence WHERE name = ?", 0, std::string_view(table));
  };
  loaded.next_node = static_cast<NodeId>(sequence("node") + 1);
  loaded.next_series = static_cast<SeriesId>(sequence("series") + 1);
  last_arrival_ = std::max(last_arrival_, sequence("arrival"));
  Restored& restored = loaded.restored;
  restored.last_event = static_cast<std::uint64_t>(sequence("event"));
  {
    Rows rows = database_->query("SELECT gateway, id, sequence FROM stream ORDER BY gateway, used");
    while (rows.next())
      loaded.streams.push_back({rows.string(0), rows.string(1), static_cast<std::uint64_t>(rows.integer(2))});
  }
  {
    Rows rows = database_->query("SELECT name, site, software, native, last_seen FROM gateway ORDER BY name");
    while (rows.next()) {
      restored.gateways.push_back({rows.string(0),
                                   rows.string(1),
                                   {},
                                   rows.string(2),
                                   rows.integer(3) != 0,
                                   to_time(rows.integer(4)),
                                   0});
      auto& gateway = restored.gateways.back();
      // Sorted by gateway and use: its last is the one in use.
      const auto behind = std::upper_bound(
          loaded.streams.begin(), loaded.streams.end(), gateway.name,
          [](const std::string& name, const StreamPosition& stream) { return name < stream.gateway; });
      if (behind == loaded.streams.begin() || std::prev(behind)->gateway != gateway.name) continue;
      gateway.stream = std::prev(behind)->stream;
      gateway.sequence = std::prev(behind)->sequence;
    }
  }
  Rows rows = database_->query("SELECT key, begun, outcome FROM kept_write ORDER BY begun");
  while (rows.next()) restored.writes.push_back({rows.string(0), to_time(rows.integer(1)), rows.string(2)});
}

bool Archive::commit(const Group& group) {
  if (!database_) return false;
  database_->clear();
  database_->begin();
  for (const auto& change : group.changes) write(change);
  if (!group.log.empty())
    database_->run("INSERT INTO arrival(crc, log) VALUES(?, ?)", checksum(group.log), Blob{group.log});
  const auto arrival = database_->good() ? database_->last_id() : 0;
  if (!database_->commit()) return false;
  // Memory follows what is on disk.
  for (const auto& change : group.changes) {
    if (const auto* name = std::get_if<SeriesName>(&change)) head_.add(name->id, name->node);
    if (const auto* forgotten = std::get_if<Forgotten>(&change)) head_.remove(forgotten->id);
  }
  if (!group.log.empty()) head_.apply(group.log, last_arrival_ = arrival);
  return true;
}

bool Archive::maintain(WallTime now) { return upkeep_ && upkeep_->run(now, last_arrival_); }

void Archive::write(const Change& change) {
  Database& db = *database_;
  std::visit(
      [&](const auto& one) {
        using T = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<T, NodeName>) {
          db.run("INSERT OR IGNORE INTO node(id, uid) VALUES(?, ?)", one.id, std::string_view(one.uid));
        } else if constexpr (std::is_same_v<T, SeriesName>) {
          db.run(
              "INSERT INTO series(id, node, resource) VALUES(?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
              " node = excluded.node",
              one.id, one.node, std::string_view(one.resource));
        } else if constexpr (std::is_same_v<T, NodeChange>) {
          const NodeRecord& node = one.record;
          const std::string labels = pack_labels(node);
          db.run(
              "UPDATE node SET known = 1, protocol = ?, address = ?, address_kind = ?, gateway = ?, state = "
              "?,"
              " hidden = ?, first_seen = ?, last_seen = ?, resets = ?, timeouts = ?, rejected_writes = ?,"
              " labels = ? WHERE id = ?",
              std::string_view(node.protocol), std::string_view(node.address), node.address_kind,
              std::string_view(node.gateway), static_cast<int>(node.state), node.hidden,
              to_number(node.first_seen), to_number(node.last_seen), node.resets, node.timeouts,
              node.rejected_writes, Blob{labels}, one.id);
        } else if constexpr (std::is_same_v<T, Forgotten>) {
          db.run("DELETE FROM node WHERE id = ?", one.id);
          db.run("UPDATE series SET node = 0, last = NULL WHERE node = ?", one.id);
          db.run("DELETE FROM event WHERE uid = ?", std::string_view(one.uid));
        } else if constexpr (std::is_same_v<T, GatewayRecord>) {
          db.run("INSERT OR REPLACE INTO gateway VALUES(?, ?, ?, ?, ?)", std::string_view(one.name),
                 std::string_view(one.site), std::string_view(one.software), one.native,
                 to_number(one.last_seen));
        } else if constexpr (std::is_same_v<T, StreamPosition>) {
          db.run(
              "INSERT INTO stream SELECT ?1, ?2, ?3, coalesce(max(used), 0) + 1 FROM stream WHERE gateway = "
              "?1"
              " ON CONFLICT(gateway, id) DO UPDATE SET sequence = max(sequence, excluded.sequence),"
              " used = excluded.used",
              std::string_view(one.gateway), std::string_view(one.stream), one.sequence);
        } else if constexpr (std::is_same_v<T, Event>) {
          db.run("INSERT OR REPLACE INTO event VALUES(?, ?, ?, ?, ?, ?, ?)", one.id, to_number(one.time),
                 std::string_view(one.type), std::string_view(one.gateway), std::string_view(one.uid),
                 std::string_view(one.message), std::string_view(one.data));
        } else {
          db.run("INSERT OR REPLACE INTO kept_write VALUES(?, ?, ?)", std::string_view(one.key),
                 to_number(one.begun), std::string_view(one.outcome));
        }
      },
      change);
}

}  // namespace aiot::store
