#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "daemon/broker/routing.h"

namespace aiot::broker {

/// A hub that writes down what it hears: "joined n1", "n1/led=0".
struct RecordingHub final : Hub {
  std::vector<std::string> heard;
  void joined(const Node& node) override { heard.push_back("joined " + node.uid); }
  void updated(const Node& node, const Resource& resource) override {
    heard.push_back(fmt::format("{}/{}={}", node.uid, resource.name, resource.bytes));
  }
  void addressed(const Node& node) override {
    heard.push_back(fmt::format("{} at {}", node.uid, node.address));
  }
  void protocol_told(const Node& node) override {
    heard.push_back(fmt::format("{} speaks {}", node.uid, node.protocol));
  }
  void restarted(const Node& node) override { heard.push_back("restarted " + node.uid); }
  void gone(const Node& node) override { heard.push_back("gone " + node.uid); }
  std::vector<std::string> take() { return std::exchange(heard, {}); }
};

struct RecordingEvents final : EventSink {
  std::vector<std::string> types;
  void event(const Event& event) override { types.emplace_back(event.type); }
};

/// Writes down what is kept for history: "n1/led=0".
struct RecordingRecords final : Records {
  std::vector<std::string> kept;
  void update(const Node& node, const Resource& value) override {
    kept.push_back(fmt::format("{}/{}={}", node.uid, value.name, value.bytes));
  }
  void past_update(const Node& node, const Update& update, bool) override {
    kept.push_back(fmt::format("{}/{}={}", node.uid, update.resource, update.bytes));
  }
};

/// A gateway that keeps what it is asked.
struct FakeLink final : GatewayLink {
  bool native = true;
  bool full = false;
  bool was_replaced = false;
  std::vector<wire::Ask> asked;
  std::vector<std::string> sources;
  std::vector<std::string> refused;
  std::vector<std::string> free;

  [[nodiscard]] bool answers() const override { return native; }
  bool ask(const wire::Ask& ask, std::string_view source) override {
    if (full) return false;
    asked.push_back(ask);
    sources.emplace_back(source);
    return true;
  }
  void refuse(std::string_view uid, std::string_view) override { refused.emplace_back(uid); }
  void freed(std::string_view uid) override { free.emplace_back(uid); }
  void replaced() override { was_replaced = true; }
  [[nodiscard]] std::size_t queued_bytes() const override { return 0; }
};

inline Update update(std::string uid, std::string resource, std::string bytes) {
  Update made;
  made.uid = std::move(uid);
  made.resource = std::move(resource);
  made.bytes = std::move(bytes);
  return made;
}

}  // namespace aiot::broker
