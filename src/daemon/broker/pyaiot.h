#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "daemon/broker/node_table.h"

/// pyaiot's wire, as the broker speaks it with gateways and clients (docs/protocol.md). Pure.
namespace aiot::broker::pyaiot {

/// What both gateways and clients send.
struct Message {
  enum class Type : std::uint8_t { joined, update, out, reset };
  Type type = Type::update;
  // From a gateway:
  std::string uid;
  std::string dst;  ///< "all", one client's id, or empty
  std::string src;  ///< unused by gateways
  Resource value;   ///< of an update: `name` is the endpoint
  bool has_endpoint = false;
  bool has_data = false;
  // From a client: `data` is an object with uid, endpoint and payload, or the text "client".
  bool is_write = false;  ///< an update whose data holds uid, endpoint and payload
};

/// Errc::rejected in words fit for a close reason: not JSON, not an object, no known type. Errc::usage for
/// what is only longer or deeper than it may be.
[[nodiscard]] Result<Message> parse(std::string_view text);

/// Appends the payload of one message each; `dst` is "all" or a client's id.
void append_new(std::string& out, std::string_view uid, std::string_view dst);
void append_update(std::string& out, std::string_view uid, const Resource& resource, std::string_view dst);
void append_text_update(std::string& out, std::string_view uid, std::string_view endpoint,
                        std::string_view text, std::string_view dst);
void append_out(std::string& out, std::string_view uid);
void append_reset(std::string& out, std::string_view uid);

/// To a gateway: a client joined; a client writes.
[[nodiscard]] std::string client_joined(std::string_view src);
[[nodiscard]] std::string client_write(std::string_view uid, std::string_view endpoint,
                                       std::string_view payload, std::string_view src);

/// "ip" or "id".
[[nodiscard]] std::string_view address_endpoint(const Node& node);

}  // namespace aiot::broker::pyaiot
