#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "daemon/gateway/policy.h"

namespace aiot::gateway {

/// Writes down what the policy wants done.
class RecordedEffects final : public Effects {
 public:
  void update(Node& node, Resource& resource) override {
    log.push_back("update " + node.uid + " " + resource.name + "=" + resource.bytes);
  }
  void item(wire::Item item) override {
    if (auto* joined = std::get_if<wire::NodeJoined>(&item))
      log.push_back("joined " + joined->uid + " " + joined->address);
    if (auto* out = std::get_if<wire::NodeOut>(&item)) log.push_back("out " + out->uid);
    if (auto* reset = std::get_if<wire::NodeReset>(&item))
      log.push_back("reset " + reset->uid + " " + reset->address);
    if (auto* notice = std::get_if<wire::Notice>(&item))
      log.push_back("notice " + notice->type + " " + notice->uid);
  }
  void request(NodeRequest request) override { requests.push_back(std::move(request)); }
  void observe(NodeRequest request) override { observations.push_back(std::move(request)); }
  void cancel(Ticket ticket) override {
    std::erase_if(requests, [&](const NodeRequest& request) { return request.ticket == ticket; });
    std::erase_if(observations, [&](const NodeRequest& request) { return request.ticket == ticket; });
  }
  Result<void> tell(const Node& node, const NodeMessage& message) override {
    static constexpr std::array<const char*, 3> kKinds = {"resources", "values", "write"};
    if (!reachable) return make_error(Errc::unreachable, "no way to it");
    last_told = message.ticket;
    std::string line = fmt::format("tell {} {}", node.id, kKinds[static_cast<std::size_t>(message.kind)]);
    if (message.kind == NodeMessage::Kind::write)
      line += fmt::format(" {}={}", message.resource, message.payload);
    log.push_back(std::move(line));
    return {};
  }
  void answer(wire::Answer answer) override { answers.push_back(std::move(answer)); }
  void changed(const Node&) override { ++changes; }

  std::vector<std::string> log;
  std::vector<NodeRequest> requests;
  std::vector<NodeRequest> observations;
  std::vector<wire::Answer> answers;
  int changes = 0;
  bool reachable = true;
  Ticket last_told = 0;
};

/// A policy with nodes that are played by the test.
struct Played {
  explicit Played(PolicyOptions options = {}) : policy(std::move(options), effects) { policy.tick(now); }

  RecordedEffects effects;
  Policy policy;
  Now now{TimePoint(std::chrono::hours(1)), WallTime(std::chrono::milliseconds(1'700'000'000'000))};

  static coap::Peer peer(const std::string& address) {
    coap::Peer out;
    out.address = *SocketAddress::parse(address);
    out.local = *SocketAddress::parse("127.0.0.1:5683");
    return out;
  }
  coap::ServerReply alive(const std::string& payload, const std::string& from) {
    return policy.alive(payload, peer(from), now);
  }
  coap::ServerReply post(const std::string& payload, const std::string& from) {
    return policy.post(payload, peer(from), now);
  }
  /// Time passes in steps of half a second, as the gateway's timer has it.
  void advance(Duration by) {
    const Duration step = std::chrono::milliseconds(500);
    while (by > Duration(0)) {
      const auto now_by = std::min(by, step);
      now.mono += now_by;
      now.wall += std::chrono::duration_cast<std::chrono::milliseconds>(now_by);
      by -= now_by;
      policy.tick(now);
    }
  }
  /// What happened since the last call.
  std::vector<std::string> happened() { return std::exchange(effects.log, {}); }

  static Response content(const std::string& payload, std::optional<std::uint16_t> format = std::nullopt) {
    Response response;
    response.payload = payload;
    response.code = "2.05";
    response.content_format = format;
    return response;
  }
  /// The oldest request waiting; the test fails when there is none.
  NodeRequest take() {
    if (effects.requests.empty()) throw std::runtime_error("no request is waiting");
    auto request = std::move(effects.requests.front());
    effects.requests.erase(effects.requests.begin());
    return request;
  }
  /// Answers the oldest request waiting, and tells which it was.
  std::string answer(const std::string& payload) {
    auto request = take();
    policy.responded(request.ticket, content(payload), now);
    return request.to.text() + "/" + request.resource;
  }
  std::string fail(Errc code, int native = 0) {
    auto request = take();
    if (code == Errc::unreachable && native == 0) native = 111;  // ECONNREFUSED: not a CoAP code
    policy.responded(request.ticket, make_error(code, "it failed", native), now);
    return request.to.text() + "/" + request.resource;
  }
  /// A node that has said alive and been read.
  void joined(const std::string& uid, const std::string& from, const std::string& resources = "</led>",
              const std::string& value = "0") {
    alive("alive:" + uid, from);
    answer(resources);
    while (!effects.requests.empty()) answer(value);
    happened();
  }
};

using Log = std::vector<std::string>;

}  // namespace aiot::gateway
