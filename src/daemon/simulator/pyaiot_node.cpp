#include "daemon/simulator/pyaiot_node.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/text.h"

namespace aiot::simulator {

std::vector<std::string> PyaiotNode::subscriptions() const {
  std::vector<std::string> topics{fmt::format("gateway/{}/discover", uid())};
  for (const auto& resource : values_.blueprint().resources)
    if (resource.writable()) topics.push_back(fmt::format("gateway/{}/{}/set", uid(), resource.name));
  return topics;
}

PyaiotNode::Message PyaiotNode::check() const {
  return {"node/check", fmt::format(R"({{"id":{}}})", text::json_string(uid()))};
}

PyaiotNode::Message PyaiotNode::value(std::size_t index) const {
  return {fmt::format("node/{}/{}", uid(), values_.blueprint().resources[index].name),
          fmt::format(R"({{"value":{}}})", text::json_string(values_.at(index)))};
}

std::optional<PyaiotNode::Message> PyaiotNode::next() {
  const auto index = values_.next();
  if (!index) return std::nullopt;
  return value(*index);
}

PyaiotNode::Heard PyaiotNode::receive(std::string_view topic, std::string_view payload,
                                      std::vector<Message>& out) {
  const auto parts = text::split(topic, '/');
  if (parts.size() < 3 || parts[0] != "gateway" || parts[1] != uid()) return Heard::nothing;
  const auto& resources = values_.blueprint().resources;
  if (parts.size() == 3 && parts[2] == "discover" && payload == "resources") {
    std::string names;
    for (const auto& resource : resources)
      names += (names.empty() ? "" : ",") + text::json_string(resource.name);
    out.push_back({fmt::format("node/{}/resources", uid()), "[" + names + "]"});
    return Heard::request;
  }
  if (parts.size() == 3 && parts[2] == "discover" && payload == "values") {
    for (std::size_t i = 0; i < resources.size(); ++i) {
      values_.sample(i);
      out.push_back(value(i));
    }
    return Heard::request;
  }
  if (parts.size() != 4 || parts[3] != "set") return Heard::nothing;
  const auto index = values_.find(parts[2]);
  if (!index || !values_.write(*index, payload)) return Heard::nothing;
  out.push_back(value(*index));
  return Heard::write;
}

std::string PyaiotNode::update(const std::vector<std::size_t>& indices) const {
  std::string data;
  for (const auto index : indices) {
    data += fmt::format("{}{}:{}", data.empty() ? "" : ",",
                        text::json_string(values_.blueprint().resources[index].name),
                        text::json_string(values_.at(index)));
  }
  return fmt::format(R"({{"type":"update","data":{{{}}}}})", data);
}

std::string PyaiotNode::next_json() {
  const auto index = values_.next();
  return index ? update({*index}) : std::string();
}

PyaiotNode::Heard PyaiotNode::receive_json(std::string_view text, std::string& reply) {
  const auto message = nlohmann::json::parse(text, nullptr, false);
  if (!message.is_object()) return Heard::nothing;
  const auto member = [&](const char* name) {
    const auto found = message.find(name);
    return found != message.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (member("request") == "discover") {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < values_.blueprint().resources.size(); ++i) {
      values_.sample(i);
      all.push_back(i);
    }
    reply = update(all);
    return Heard::request;
  }
  const auto index = values_.find(member("endpoint"));
  if (!index || !values_.write(*index, member("payload"))) return Heard::nothing;
  reply = update({*index});
  return Heard::write;
}

}  // namespace aiot::simulator
