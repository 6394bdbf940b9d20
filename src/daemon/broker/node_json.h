#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/model/principal.h"
#include "daemon/broker/asks.h"
#include "daemon/broker/node_table.h"
#include "daemon/store/store.h"
#include "daemon/wire/gateway_v1.h"
#include "daemon/wire/json_writer.h"

/// How REST shows nodes, values and gateways (contracts: docs/openapi.yaml).
namespace aiot::broker {

/// `value` and where they apply `encoding`, `number`, `unit` and `format`.
void write_value(wire::JsonWriter& json, std::string_view bytes, std::optional<std::uint16_t> content_format,
                 bool raw_json = false);
/// The member "labels".
void write_labels(wire::JsonWriter& json, const Node& node);
/// With those resources that `scope` covers.
void write_node(wire::JsonWriter& json, const Node& node, const Scope& scope);
/// `credential`: by what it has proved itself, as Access::credential says.
void write_gateway(wire::JsonWriter& json, const GatewayRecord& gateway, std::string_view credential);

/// What came of a write, for its event: a sentence, and members beside it.
[[nodiscard]] std::string write_sentence(const NodeRequest& request, const Result<wire::Answer>& result);
[[nodiscard]] std::string write_data(const NodeRequest& request, const Result<wire::Answer>& result);
void write_event(wire::JsonWriter& json, const store::Event& event);

/// The last value of one resource, as `get aiot://` prints it; `host` is the request's.
[[nodiscard]] std::string value_json(const Node& node, const Resource& resource, std::string_view host,
                                     WallTime now);

/// What a node answered to a request through the broker.
struct NodeAnswer {
  std::string uid, resource, gateway, protocol;
  std::string value;  ///< the answer's payload, or what was written
  bool has_value = false;
  std::optional<std::uint16_t> content_format;
  const wire::Answer& answer;
};
[[nodiscard]] std::string answer_json(const NodeAnswer& answered, std::string_view host, WallTime now);

}  // namespace aiot::broker
