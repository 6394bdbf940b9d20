#pragma once

#include <cstddef>

#include "daemon/broker/asks.h"
#include "daemon/broker/clients.h"
#include "daemon/broker/followers.h"
#include "daemon/broker/hub.h"

namespace aiot::broker {

/// Passes what happens to the clients of either wire, and to writes that wait for their echo.
class Announcements final : public Hub {
 public:
  Announcements(Clients& clients, Followers& followers, Asks& asks)
      : clients_(clients), followers_(followers), asks_(asks) {}

  void joined(const Node& node) override {
    clients_.joined(node);
    followers_.joined(node);
  }
  void updated(const Node& node, const Resource& resource) override {
    clients_.updated(node, resource);
    followers_.updated(node, resource);
    asks_.heard(node, resource);
  }
  void addressed(const Node& node) override {
    clients_.addressed(node);
    followers_.addressed(node);
  }
  void protocol_told(const Node& node) override {
    clients_.protocol_told(node);
    followers_.protocol_told(node);
  }
  void restarted(const Node& node) override {
    clients_.restarted(node);
    followers_.restarted(node);
  }
  void gone(const Node& node) override {
    clients_.gone(node);
    followers_.gone(node);
  }
  void given_up(const Node& node) override { followers_.given_up(node); }
  void handed_over(const Node& node) override { followers_.handed_over(node); }
  void labelled(const Node& node) override { followers_.labelled(node); }
  void forgotten(const Node& node) override { followers_.forgotten(node); }
  void gateway_up(const GatewayRecord& gateway) override { followers_.gateway_up(gateway); }
  void gateway_down(const GatewayRecord& gateway) override { followers_.gateway_down(gateway); }

  // Of the clients of both wires.
  [[nodiscard]] std::size_t clients() const { return clients_.size() + followers_.clients(); }
  [[nodiscard]] std::size_t queued_bytes() const {
    return clients_.queued_bytes() + followers_.queued_bytes();
  }
  void count_delivered() {
    clients_.count_delivered();
    followers_.count_delivered();
  }

 private:
  Clients& clients_;
  Followers& followers_;
  Asks& asks_;
};

}  // namespace aiot::broker
