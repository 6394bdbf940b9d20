#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "daemon/wire/gateway_v1.h"

namespace aiot::broker {

/// A connected gateway, as routing and writes see it: one of either wire.
class GatewayLink {
 public:
  virtual ~GatewayLink() = default;
  /// True when it answers asks; false for pyaiot's wire, where a write is confirmed by its echo.
  [[nodiscard]] virtual bool answers() const = 0;
  /// Passes on a request to a node; on pyaiot's wire only a PUT, with `source` as the writing client. False
  /// when its queue is full: the request was not sent.
  virtual bool ask(const wire::Ask& ask, std::string_view source) = 0;
  /// The gateway may not have this node.
  virtual void refuse(std::string_view uid, std::string_view reason) = 0;
  /// A node has lost its owner: told to a gateway to which it was refused.
  virtual void freed(std::string_view uid) = 0;
  /// Another connection took its name: closes it without touching its nodes.
  virtual void replaced() = 0;
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
};

}  // namespace aiot::broker
