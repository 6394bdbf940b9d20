#include "core/relay/client_v1.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/text.h"
#include "core/codec/value.h"

namespace aiot::relay::client_v1 {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

bool truth_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

/// The elements of an array that are objects.
template <class Take>
void each(const json& object, const char* name, Take take) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_array()) return;
  for (const json& element : *found) {
    if (element.is_object()) take(element);
  }
}

NodeFacts facts_of(const json& object) {
  NodeFacts facts{text_of(object, "node"), text_of(object, "gateway"), text_of(object, "protocol")};
  const std::string state = text_of(object, "state");
  for (const NodeState each : {NodeState::live, NodeState::stale, NodeState::out}) {
    if (state == to_string(each)) facts.state = each;
  }
  return facts;
}

std::optional<Update> update_of(const json& object) {
  Update update;
  update.uid = text_of(object, "node");
  update.resource = text_of(object, "resource");
  update.bytes = text_of(object, "value");
  if (text_of(object, "encoding") == "base64") {
    auto bytes = text::decode_base64(update.bytes);
    if (!bytes) return std::nullopt;
    update.bytes = *std::move(bytes);
  }
  if (object.contains("format")) {
    const std::uint64_t format = number_of(object, "format");
    if (format > 65535) return std::nullopt;
    update.content_format = static_cast<std::uint16_t>(format);
  }
  constexpr std::uint64_t year_10000 = 253402300800000;
  update.time = WallTime(std::chrono::milliseconds(number_of(object, "time") % year_10000));
  update.sequence = number_of(object, "seq");
  update.time_uncertain = truth_of(object, "time_uncertain");
  return update;
}

Snapshot snapshot_of(const json& object) {
  Snapshot snapshot{number_of(object, "id"), truth_of(object, "last"), {}};
  each(object, "nodes", [&](const json& element) {
    auto& node = snapshot.nodes.emplace_back();
    node.facts = facts_of(element);
    each(element, "values", [&](const json& value) {
      if (auto update = update_of(value)) node.values.push_back(*std::move(update));
    });
    if (node.facts.uid.empty()) snapshot.nodes.pop_back();
  });
  return snapshot;
}

Updates updates_of(const json& object) {
  Updates updates{number_of(object, "id"), {}};
  each(object, "items", [&](const json& element) {
    Item item;
    item.event = text_of(element, "event");
    item.node = facts_of(element);
    if (item.event.empty()) {
      auto update = update_of(element);
      if (!update || update->uid.empty()) return;
      item.update = *std::move(update);
    }
    updates.items.push_back(std::move(item));
  });
  return updates;
}

Refusal refusal_of(const json& object) {
  Error error = make_error(Errc::peer_failed, text_of(object, "message"));
  const std::string code = text_of(object, "code");
  for (const Errc each : {Errc::internal, Errc::usage, Errc::timeout, Errc::rejected, Errc::unauthorized}) {
    if (code == to_string(each)) error.code = each;
  }
  return {std::move(error)};
}

}  // namespace

Result<Message> parse(std::string_view text) {
  auto object = parse_json(text);
  if (!object || !object->is_object()) {
    return make_error(Errc::peer_failed,
                      fmt::format("the broker's message is malformed: {}",
                                  object ? "it is not an object" : object.error().message));
  }
  const std::string type = text_of(*object, "type");
  if (type == "updates") return Message(updates_of(*object));
  if (type == "snapshot") return Message(snapshot_of(*object));
  if (type == "gap") {
    return Message(Gap{number_of(*object, "id"), number_of(*object, "missed"), number_of(*object, "events"),
                       text_of(*object, "reason")});
  }
  if (type == "welcome") return Message(Welcome{});
  if (type == "refused" || type == "failure") return Message(refusal_of(*object));
  return Message(Other{});
}

std::string hello() { return R"({"type":"hello","version":1,"software":"aiot )" AIOT_VERSION R"("})"; }

std::string subscribe(std::uint64_t id, const std::string& node, const std::string& resource) {
  return fmt::format(R"({{"type":"subscribe","id":{},"nodes":[{}],"resources":[{}]}})", id,
                     text::json_string(node), text::json_string(resource));
}

std::string unsubscribe(std::uint64_t id) { return fmt::format(R"({{"type":"unsubscribe","id":{}}})", id); }

}  // namespace aiot::relay::client_v1
