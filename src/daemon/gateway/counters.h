#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace aiot::gateway {

/// Why a node's message was not taken.
enum class Drop : std::uint8_t {
  not_allowed,         ///< outside --allow
  bad_uid,             ///< no usable uid, and not from an address with exactly one node
  uid_conflict,        ///< the uid is in use at another address
  no_colon,            ///< a /server payload without a colon
  bad_name,            ///< resource name empty, too long, control characters or not UTF-8
  bad_value,           ///< control characters or not UTF-8
  too_long,            ///< above a bound
  unknown_address,     ///< a post from an address without a node
  too_many_resources,  ///< the node's bound
  table_full,          ///< the gateway's bound
  bad_registration,    ///< a resource directory request that cannot be understood
  bad_message,         ///< an MQTT or WebSocket message that cannot be understood
  bad_answer,          ///< a node's answer that cannot be kept: too long a value, a name that is not text
  too_fast,            ///< above the node's rate
  count
};
inline constexpr std::size_t kDropReasons = static_cast<std::size_t>(Drop::count);
/// The reason as metrics name it: "bad_uid".
[[nodiscard]] std::string_view to_string(Drop reason);

/// How many node protocols there are: see Protocol.
inline constexpr std::size_t kProtocols = 4;

/// What came from the nodes. `received` counts every message, taken or dropped.
struct NodeCounters {
  std::uint64_t received = 0;
  std::uint64_t updates = 0;  ///< values taken: posts, discovery, observations, confirmed writes
  std::array<std::uint64_t, kProtocols> updates_of{};  ///< of them by Protocol
  std::uint64_t duplicates = 0;
  std::uint64_t kernel_drops = 0;
  std::uint64_t malformed = 0;
  std::uint64_t secure_sessions = 0;  ///< open on DTLS and TLS
  std::uint64_t failed_handshakes = 0;
  std::uint64_t refused_hellos = 0;
  std::uint64_t reduced = 0;  ///< answers cut to small blocks: nobody showed that he had asked
  std::array<std::uint64_t, kDropReasons> dropped{};
  std::uint64_t discoveries = 0;
  std::uint64_t discoveries_failed = 0;
  std::uint64_t uid_conflicts = 0;
  std::uint64_t writes = 0;
  std::uint64_t writes_failed = 0;
  std::uint64_t nodes_live = 0;
  std::uint64_t nodes_out = 0;  ///< remembered, so that their next message brings them back
  void drop(Drop reason) { ++dropped[static_cast<std::size_t>(reason)]; }
};

/// What went to the broker. Always: sent + restored = acknowledged + queued + dropped.
struct UplinkCounters {
  std::uint64_t sent = 0;          ///< items handed to the uplink
  std::uint64_t restored = 0;      ///< found in the journal at the start
  std::uint64_t acknowledged = 0;  ///< the broker has stored them
  std::uint64_t queued = 0;        ///< in the journal and not yet acknowledged
  std::uint64_t dropped = 0;       ///< node refused by the broker, journal full, disk full, or damaged
  std::uint64_t refused = 0;       ///< of them: the node is another gateway's
  std::uint64_t shown = 0;         ///< values and events also told ahead of their numbers
  std::uint64_t conflated = 0;  ///< of these, replaced by a newer value of the same resource before they left
  std::uint64_t connects = 0;
  std::uint64_t failures = 0;
  bool connected = false;
};

/// Always: appended + restored = acknowledged + unacknowledged + dropped_full + dropped_disk +
/// dropped_damaged.
struct JournalCounters {
  std::uint64_t appended = 0;         ///< items handed over since the start
  std::uint64_t restored = 0;         ///< found at the start
  std::uint64_t acknowledged = 0;     ///< stored by the broker
  std::uint64_t unacknowledged = 0;   ///< kept for it
  std::uint64_t dropped_full = 0;     ///< oldest out, beyond the bound of size or age
  std::uint64_t dropped_disk = 0;     ///< the disk did not take them, and so their nodes were told
  std::uint64_t dropped_damaged = 0;  ///< could not be read back
  std::uint64_t bytes = 0;            ///< of all segments
  std::uint64_t segments = 0;
  std::uint64_t syncs = 0;
  bool failing = false;  ///< the disk takes nothing
};

struct Counters {
  NodeCounters nodes;
  UplinkCounters uplink;
  JournalCounters journal;
};

}  // namespace aiot::gateway
