#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/mqttsn/gateway_core.h"

/// A gateway whose datagrams and messages the test sees, on a clock that the test moves.
struct World : aiot::mqttsn::GatewayEffects {
  explicit World(aiot::mqttsn::GatewayOptions options = {}) : core(std::move(options), *this) {}

  void send(const aiot::mqttsn::Peer& to, std::string datagram) override {
    sent[to.text()].push_back(std::move(datagram));
  }
  void publish(aiot::mqttsn::Ticket ticket, const std::string& client_id,
               aiot::mqttsn::Message message) override {
    published.push_back(client_id + " " + message.topic + "=" + message.payload + " q" +
                        std::to_string(message.qos) + (message.retain ? " retained" : ""));
    if (ticket == 0) return;
    if (stores) {
      tickets.push_back(ticket);
    } else {
      held.push_back(ticket);
    }
  }
  void subscribe(const std::string& filter) override { upstream.push_back("+" + filter); }
  void unsubscribe(const std::string& filter) override { upstream.push_back("-" + filter); }
  void wants_retained(const std::string& client_id, const std::string& filter, int) override {
    retained.push_back(client_id + " " + filter);
  }
  void changed(const aiot::mqttsn::Session& session, aiot::mqttsn::SessionChange change) override {
    if (change.kind == aiot::mqttsn::SessionChange::Kind::gone) {
      saved.erase(session.client_id);
    } else {
      saved.insert_or_assign(session.client_id, session);
    }
  }

  /// One packet from a client at 192.0.2.`host`.
  void from(int host, const aiot::mqttsn::Packet& packet) { raw(host, aiot::mqttsn::format_packet(packet)); }
  void raw(int host, const std::string& datagram) {
    core.received(address(host), datagram, now);
    settle();
  }
  void settle() {
    for (const auto ticket : std::exchange(tickets, {})) core.stored(ticket, true);
  }
  void advance(aiot::Duration by) {
    const auto end = now + by;
    while (true) {
      const auto next = core.tick(now);
      if (next > end) break;
      now = std::max(next, now);
    }
    now = end;
    core.tick(now);
  }
  /// What was sent to the client since the last call.
  std::vector<aiot::mqttsn::Packet> take(int host) {
    std::vector<aiot::mqttsn::Packet> out;
    for (const auto& datagram : std::exchange(sent[address(host).text()], {}))
      out.push_back(*aiot::mqttsn::parse_packet(datagram));
    return out;
  }
  std::vector<aiot::mqttsn::Type> types(int host) {
    std::vector<aiot::mqttsn::Type> out;
    for (const auto& packet : take(host)) out.push_back(packet.type);
    return out;
  }
  void connect(int host, const std::string& client_id, bool clean = true, std::uint16_t seconds = 60) {
    from(host, {.type = aiot::mqttsn::Type::connect,
                .flags = {.clean_session = clean},
                .duration = seconds,
                .data = client_id});
    take(host);
  }
  std::uint16_t subscribe(int host, const std::string& filter, int qos = 1) {
    from(host,
         {.type = aiot::mqttsn::Type::subscribe, .flags = {.qos = qos}, .message_id = 77, .data = filter});
    const auto answers = take(host);
    return answers.empty() ? 0 : answers.front().topic_id;
  }
  std::uint16_t topic(int host, const std::string& name) {
    from(host, {.type = aiot::mqttsn::Type::register_, .message_id = 78, .data = name});
    return take(host).at(0).topic_id;
  }
  static aiot::SocketAddress address(int host) {
    return *aiot::SocketAddress::parse("192.0.2." + std::to_string(host) + ":1885");
  }

  aiot::TimePoint now = aiot::TimePoint(std::chrono::hours(1));
  bool stores = true;
  std::map<std::string, std::vector<std::string>> sent;
  std::vector<std::string> published, upstream, retained;
  std::vector<aiot::mqttsn::Ticket> tickets, held;
  std::map<std::string, aiot::mqttsn::Session> saved;
  aiot::mqttsn::GatewayCore core;
};
