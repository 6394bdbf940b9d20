#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/completion.h"
#include "core/base/time.h"
#include "core/base/uri.h"
#include "core/model/update.h"

namespace aiot {

class EventLoop;

enum class Method : std::uint8_t { get, put, post, del, fetch, patch, ipatch };
/// "GET", "PUT", "POST", "DELETE", "FETCH", "PATCH", "iPATCH".
[[nodiscard]] std::string_view to_string(Method method);
/// It may change something: neither GET nor FETCH.
[[nodiscard]] bool is_write(Method method);

/// One request, the same for every scheme; what a scheme has no word for it ignores or refuses with
/// Errc::usage (naming verb and scheme), as the table in contracts section 1 says.
struct Request {
  Uri uri;
  Method method = Method::get;
  std::string payload;
  std::optional<std::uint16_t> content_format;
  std::optional<std::uint16_t> accept;
  std::vector<std::string> if_match;  ///< ETags, raw bytes
  bool confirmable = true;            ///< CoAP CON
  std::string interface;              ///< network interface for link-local and multicast; empty: any
  Duration timeout = std::chrono::seconds(10);

  // aiot:// only
  bool stale = false;               ///< accept the value of a node that is not live
  bool live = false;                ///< read the device itself
  std::optional<Duration> max_age;  ///< an older value is Errc::timeout
  std::string id;                   ///< Idempotency-Key
  std::optional<Duration> expires;  ///< no delivery later than this

  // MQTT and MQTT-SN only; post is publish there
  std::optional<int> qos;  ///< of the message, or the highest wanted of a subscription
  bool retain = false;     ///< publish: the broker keeps it (put and delete always have that)
  bool retained = true;    ///< observe: also what is retained now
  // MQTT 5 only
  std::vector<std::pair<std::string, std::string>> user_properties;
  std::string content_type;
  std::string response_topic;
  std::optional<std::chrono::seconds> message_expiry;
};

/// One value received. A member that does not apply stays empty.
struct Response {
  std::string uri;       ///< the target's URI as given (for a wildcard, the one that matched)
  std::string resource;  ///< "temperature", a path without its leading slash, or a topic
  std::string payload;   ///< exact bytes
  std::optional<std::uint16_t> content_format;
  std::string code;      ///< "2.05"
  std::string protocol;  ///< "CoAP", "MQTT", "MQTT-SN", "WebSocket"
  WallTime time{};       ///< when the first aiot process got the value
  std::optional<Duration> rtt;
  std::string etag;
  std::vector<std::string> location;  ///< Location-Path of a 2.01
  // through a broker
  std::string node;
  std::string gateway;
  std::optional<NodeState> state;
  std::optional<Duration> age;
  std::optional<std::uint64_t> sequence;
  std::string confirmed;  ///< of a write: "device" or "echo"
  bool time_uncertain = false;
  // MQTT
  std::optional<int> qos;
  std::optional<bool> retained;
};

/// What happened to a stream of values.
struct StreamEvent {
  enum class Kind : std::uint8_t { gap, lost, resumed };
  Kind kind = Kind::gap;
  std::string uri;
  std::string reason;
  WallTime time{};
  std::optional<std::uint64_t> missed;
};
[[nodiscard]] std::string_view to_string(StreamEvent::Kind kind);

/// One thing found by discovery: `{"type","uri","node","path","protocol","attributes"}`.
struct Discovered {
  enum class Type : std::uint8_t { node, resource };
  Type type = Type::resource;
  std::string uri;
  std::string node;
  std::string path;
  std::string protocol;
  /// Link attributes in their order; a bare attribute has no value.
  std::vector<std::pair<std::string, std::optional<std::string>>> attributes;
};

struct DiscoverRequest {
  std::optional<Uri> target;        ///< none: multicast on every link and loopback
  std::string interface;            ///< restrict multicast to this one
  bool resource_directory = false;  ///< ask `target` as an RFC 9176 directory
  Duration timeout = std::chrono::seconds(10);
};

/// The same verbs for every scheme. Callbacks run on turns of their own; cancelling or destroying the
/// Operation silences them. A client outlives its operations.
class Client {
 public:
  virtual ~Client() = default;

  /// One request, one answer. A CoAP 4.xx or 5.xx (and what stands for it elsewhere) is an Error whose
  /// `native` is the code as a number (404) and whose message is a sentence with the peer's diagnostic.
  virtual Operation request(Request request, Completion<Response> done) = 0;

  using Notification = std::variant<Response, StreamEvent>;
  /// Follows a resource until cancelled. `next` gets each value and event in order; `done` is called
  /// only on failure: no first answer within the timeout, not observable (Errc::rejected), refused.
  /// After the first answer it retries for ever and says so by events.
  virtual Operation observe(Request request, UniqueFunction<void(Notification)> next, Completion<> done) = 0;

  /// Finds nodes and resources; `found` for each, then `done` once. Multicast runs until the timeout and
  /// fails with Errc::timeout when nobody answered.
  virtual Operation discover(DiscoverRequest request, UniqueFunction<void(Discovered)> found,
                             Completion<> done) = 0;
};

}  // namespace aiot
