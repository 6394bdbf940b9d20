#pragma once

#include <string_view>

#include "daemon/broker/node_table.h"

namespace aiot::broker {

/// Where routing tells what happened, and from where it reaches clients: in this process for now; a
/// distributed hub (one subject a node and resource) takes this place later. Calls must not change the table.
class Hub {
 public:
  virtual ~Hub() = default;
  /// The node is there (again): nothing of it was told since the start or its `gone`.
  virtual void joined(const Node& node) = 0;
  /// One of its values, whether it differs from the one before or not.
  virtual void updated(const Node& node, const Resource& resource) = 0;
  /// Its address or protocol; told after `joined` and whenever it changes.
  virtual void addressed(const Node& node) = 0;
  virtual void protocol_told(const Node& node) = 0;
  virtual void restarted(const Node& node) = 0;
  /// The node is out or, with its gateway away, stale.
  virtual void gone(const Node& node) = 0;

  // What pyaiot's wire has no words for.
  /// A stale node is out for good.
  virtual void given_up(const Node&) {}
  /// The node went over to another gateway; not told of one that joins there.
  virtual void handed_over(const Node&) {}
  /// Its labels changed.
  virtual void labelled(const Node&) {}
  /// An operator wants to hear no more of the node; called before it goes.
  virtual void forgotten(const Node&) {}
  virtual void gateway_up(const GatewayRecord&) {}
  /// Told after its nodes are stale.
  virtual void gateway_down(const GatewayRecord&) {}
};

}  // namespace aiot::broker
