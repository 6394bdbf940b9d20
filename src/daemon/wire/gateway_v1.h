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

/// Gateway to broker, first of all. The token in the Authorization header is bound to `name`.
struct Hello {
  std::string name;
  std::string site;
  std::string stream;  ///< random, made with the gateway's journal (or process, without one)
  std::string software;
  int version = 1;
};

/// Broker to gateway: the hello is accepted.
struct Welcome {
  std::string software;
  std::uint64_t acknowledged = 0;     ///< highest sequence number of this stream that is stored
  std::uint32_t window_items = 8192;  ///< at most so many unacknowledged items
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
  std::vector<Item> items;
};

/// Broker to gateway: everything up to and with `sequence` is stored.
struct Ack {
  std::uint64_t sequence = 0;
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

/// Either way, before closing with 1008.
struct Failure {
  std::string code, message;
};

using Message = std::variant<Hello, Welcome, Sync, Batch, Ack, Ask, Answer, Refused, Freed, Failure>;

/// Errc::rejected with what was wrong and where; bounds of model/update.h and kMaxBatchItems hold. Unknown
/// members are ignored; an unknown type is Errc::usage, and the caller ignores the message to stay
/// compatible.
[[nodiscard]] Result<Message> parse_message(std::string_view text);
[[nodiscard]] std::string format_message(const Message& message);

/// Builds a Batch message item by item without an intermediate tree: the gateway's hot path.
class BatchWriter {
 public:
  void add(const Item& item);
  [[nodiscard]] std::size_t items() const { return items_; }
  [[nodiscard]] std::size_t bytes() const { return body_.size(); }
  /// The message with its first sequence number; the writer is empty afterwards.
  [[nodiscard]] std::string take(std::uint64_t first);

 private:
  std::string body_;
  std::size_t items_ = 0;
};

}  // namespace aiot::wire
