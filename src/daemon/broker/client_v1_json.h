#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/ws/http_server.h"
#include "daemon/broker/node_table.h"

/// What the broker says on aiot.client.v1 (docs/protocol.md).
namespace aiot::broker::client_v1 {

/// One update, as `updates` carry it.
void append_update(std::string& out, const Node& node, const Resource& resource);
/// Something that happened to a node, with who and how it is now.
void append_event(std::string& out, std::string_view event, const Node& node, WallTime now);
/// "gateway_up" or "gateway_down".
void append_event(std::string& out, std::string_view event, const GatewayRecord& gateway, WallTime now);
/// A node of a snapshot without its values and without its closing brackets: `values` follow, each an
/// append_value() with commas between them, then "]}".
void append_node_head(std::string& out, const Node& node);
void append_value(std::string& out, const Resource& resource);

/// A batch: begin, items with commas between them, end.
void begin_updates(std::string& out, std::uint64_t id);
inline void end_updates(std::string& out) { out += "]}"; }
void append_snapshot(std::string& out, std::uint64_t id, std::string_view nodes, bool last);

[[nodiscard]] std::string welcome();
[[nodiscard]] std::string unsubscribed(std::uint64_t id);
[[nodiscard]] std::string refused(std::uint64_t id, const Error& why);
[[nodiscard]] std::string gap(std::uint64_t id, std::uint64_t missed, std::uint64_t events,
                              std::string_view reason);
[[nodiscard]] std::string failure(std::string_view code, std::string_view message);
/// REST's answer to a read or write; `write` decides whether a failure has an outcome.
[[nodiscard]] std::string result(std::uint64_t id, bool write, const ws::HttpResponse& answer);
[[nodiscard]] std::string result(std::uint64_t id, const Error& error);

}  // namespace aiot::broker::client_v1
