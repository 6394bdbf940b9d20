#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/client.h"
#include "core/model/update.h"

/// The messages of aiot.gateway.v1, JSON in WebSocket text frames; docs/protocol.md specifies them.
namespace aiot::wire {

inline constexpr std::string_view kGatewayV1 = "aiot.gateway.v1";
inline constexpr std::size_t kMaxBatchItems = 4096;
inline constexpr std::size_t kMaxEarlier = 64;  ///< streams that a hello names beside its own

/// Gateway to broker, first of all. The token in the Authorization header is bound to `name`.
struct Hello {
  std::string name;
  std::string site;
  std::string stream;  ///< of the batches that follow; random, made at each start of the gateway
  std::vector<std::string> earlier;  ///< streams of the same journal before it, newest first
  std::string software;
  int version = 1;
  bool journal = false;  ///< it speaks the extension "journal"
};

/// Broker to gateway: the hello is accepted.
struct Welcome {
  std::string software;
  std::uint64_t acknowledged = 0;     ///< highest sequence number of this stream that is stored
  std::uint32_t window_items = 8192;  ///< at most so many unacknowledged items
  bool journal = false;               ///< it speaks the extension "journal": replay, live, stream and resume
};

/// A node as the gateway holds it: what a (re)connected gateway tells first.
struct NodeSnapshot {
  std::string uid;
  std::string protocol;  ///< "CoAP", "MQTT", "MQTT-SN", "WebSocket"
  std::string address;   ///< IP address (CoAP) or the node's id in its protocol
  WallTime first_seen{};
  WallTime last_seen{};
  std::vector<Update> values;  ///< uid left empty
};

/// The gateway's whole node table, in one message or several (`last` on the final one): nodes of this
/// gateway that are not in it are out. Sent after welcome and before the first batch.
struct Sync {
  std::vector<NodeSnapshot> nodes;
  bool last = true;
};

struct NodeJoined {
  std::string uid, protocol, address;
  WallTime time{};
};
struct NodeOut {
  std::string uid;
  WallTime time{};
};
/// It restarted, maybe at another address; without a protocol it is where it was.
struct NodeReset {
  std::string uid, protocol, address;
  WallTime time{};
};
/// Something an operator should know: "uid_conflict", "name_conflict", "refused_input" ...
struct Notice {
  std::string type, uid, message;
  WallTime time{};
};
using Item = std::variant<Update, NodeJoined, NodeOut, NodeReset, Notice>;

/// Items numbered first, first + 1, ...; in the order in which they happened.
struct Batch {
  std::uint64_t first = 0;
  bool replay = false;  ///< they are history: sync or live have told what is now
  std::vector<Item> items;
};

/// What is now, ahead of its number: while a gateway catches up, the same items follow in a replay.
struct Live {
  std::vector<Item> items;
};

/// Broker to gateway: everything up to and with `sequence` is stored.
struct Ack {
  std::uint64_t sequence = 0;
};

/// Gateway to broker, once all it sent is acknowledged: the next batches are of another stream.
struct NextStream {
  std::string stream;
  std::vector<std::string> earlier;
};

/// Broker to gateway, its answer.
struct Resume {
  std::string stream;
  std::uint64_t acknowledged = 0;
};

/// Broker to gateway: do this at the node and answer with an Answer of the same id.
struct Ask {
  std::uint64_t id = 0;
  Method method = Method::put;
  std::string uid, resource;
  std::string payload;
  std::optional<std::uint16_t> content_format;
  Duration deadline = std::chrono::seconds(10);  ///< from receipt; later it is not delivered
};

struct Answer {
  std::uint64_t id = 0;
  std::optional<Error> error;  ///< with outcome and native code
  std::string code;            ///< "2.04"
  std::string payload;
  std::optional<std::uint16_t> content_format;
  std::string confirmed;  ///< "device" or "echo"
  std::optional<Duration> rtt;
};

/// Broker to gateway: it may not have this node (another gateway owns it).
struct Refused {
  std::string uid, reason;
};

/// Broker to gateway: a node that was refused to it has lost its owner.
struct Freed {
  std::string uid;
};

/// Gateway to broker, now and then: what it has counted since its start, by name.
struct Report {
  std::vector<std::pair<std::string, std::uint64_t>> counters;
};
inline constexpr std::size_t kMaxReported = 64;

/// Either way, before closing with 1008.
struct Failure {
  std::string code, message;
};

using Message = std::variant<Hello, Welcome, Sync, Batch, Live, Ack, NextStream, Resume, Ask, Answer, Refused,
                             Freed, Report, Failure>;

/// Errc::rejected with what was wrong and where; bounds of model/update.h and kMaxBatchItems hold. Unknown
/// members are ignored; an unknown type is Errc::usage, and the caller ignores the message to stay
/// compatible.
[[nodiscard]] Result<Message> parse_message(std::string_view text);
[[nodiscard]] std::string format_message(const Message& message);

/// Appends one item as batches carry it; a time of 1970 is left out.
void append_item(std::string& out, const Item& item);
/// The same for an update: the gateway's hot path, so nothing is copied to say it. `time` of none is left
/// out.
struct UpdateView {
  std::string_view uid, resource, bytes;
  std::optional<std::uint16_t> content_format;
  WallTime time{};
  bool time_uncertain = false;
};
void append_update(std::string& out, const UpdateView& update);
/// A Batch of items that are text already, with commas between them.
[[nodiscard]] std::string format_batch(std::uint64_t first, bool replay, std::string_view items);
[[nodiscard]] std::string format_live(std::string_view items);
/// Reads one item that append_item wrote. Errc::rejected with what was wrong.
[[nodiscard]] Result<Item> parse_item(std::string_view text);

}  // namespace aiot::wire
