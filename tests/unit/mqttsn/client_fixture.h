#pragma once

#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/mqttsn/client_core.h"
#include "unit/mqttsn/world.h"

/// Our client at 192.0.2.`host` of the World's gateway, over a path that may lose datagrams.
struct Client : aiot::mqttsn::ClientEffects {
  Client(World& world, int host, aiot::mqttsn::ClientCoreOptions options, unsigned seed = 1, int loss = 0)
      : w(world), at(host), random(seed), percent(loss), core(std::move(options), *this) {}

  void send(std::string datagram) override {
    said.push_back(*aiot::mqttsn::parse_packet(datagram));
    outgoing.push_back(std::move(datagram));
  }
  void connected() override { log.emplace_back("connected"); }
  void lost(const aiot::Error& why) override { log.push_back("lost: " + why.message); }
  void received(aiot::mqttsn::Message message) override {
    heard.push_back(message.topic + "=" + message.payload + " q" + std::to_string(message.qos) +
                    (message.retain ? " retained" : ""));
  }
  void done(Ticket ticket, aiot::Result<> result) override {
    log.push_back(std::to_string(ticket) + (result ? "" : ": " + result.error().message));
    if (!result) last_error = result.error();
  }
  void asleep() override { log.emplace_back("asleep"); }

  /// Carries datagrams both ways until there are none.
  void settle() {
    while (true) {
      auto from_gateway = std::exchange(w.sent[World::address(at).text()], {});
      auto from_client = std::exchange(outgoing, {});
      if (from_gateway.empty() && from_client.empty()) return;
      if (cut) continue;
      for (const auto& datagram : from_client)
        if (!lost_now()) w.raw(at, datagram);
      for (const auto& datagram : from_gateway)
        if (!lost_now()) core.received(datagram, w.now);
    }
  }
  void advance(aiot::Duration by) {
    const auto end = w.now + by;
    while (true) {
      const auto next = std::min(core.tick(w.now), w.core.tick(w.now));
      settle();
      if (next > end) break;
      w.now = std::max(next, w.now);
    }
    w.now = end;
    core.tick(w.now);
    w.core.tick(w.now);
    settle();
  }
  void connect() {
    core.connect(w.now);
    settle();
  }
  std::vector<std::string> take_log() { return std::exchange(log, {}); }
  std::vector<aiot::mqttsn::Packet> take_said() { return std::exchange(said, {}); }
  std::vector<aiot::mqttsn::Type> said_types() {
    std::vector<aiot::mqttsn::Type> out;
    for (const auto& packet : take_said()) out.push_back(packet.type);
    return out;
  }

  World& w;
  int at;
  std::mt19937 random;
  int percent;
  bool cut = false;  ///< the path is down
  std::vector<std::string> outgoing, log, heard;
  std::vector<aiot::mqttsn::Packet> said;
  std::optional<aiot::Error> last_error;
  aiot::mqttsn::ClientCore core;

 private:
  bool lost_now() { return percent > 0 && std::uniform_int_distribution<int>(0, 99)(random) < percent; }
};
