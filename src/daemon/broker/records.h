#pragma once

#include <string>
#include <string_view>

#include "core/model/update.h"
#include "daemon/broker/node_table.h"

namespace aiot::broker {

/// Something an operator should know; docs/protocol.md and aiot-events(1) list the types.
struct Event {
  std::string_view type, gateway, uid;
  std::string message;
  WallTime time{};   ///< when it happened; none: now
  std::string data;  ///< further members, as a JSON object; or empty
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void event(const Event& event) = 0;
};

/// What routing has kept beyond this process's life; this one keeps nothing.
class Records {
 public:
  virtual ~Records() = default;
  /// An update, as it arrived, for the node's history.
  virtual void update(const Node& node, const Resource& value) { (void)node, (void)value; }
  /// The same at a time other than that of the node's last value: `value` is not in the table.
  virtual void past_update(const Node& node, const Update& update, bool raw_json) {
    (void)node, (void)update, (void)raw_json;
  }
  /// The node has this value, which is no update of its own.
  virtual void last_value(const Node& node, const Resource& value) { (void)node, (void)value; }
  /// Anything else of it is not as it was.
  virtual void changed(const Node& node) { (void)node; }
  virtual void forgotten(std::string_view uid) { (void)uid; }
  virtual void gateway(const GatewayRecord& gateway) { (void)gateway; }
};

}  // namespace aiot::broker
