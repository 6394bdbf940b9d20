#pragma once

#include <memory>
#include <unordered_map>

#include "core/coap/coap_client.h"
#include "core/loop/event_loop.h"
#include "daemon/gateway/effects.h"

namespace aiot::gateway {

/// Speaks to the nodes' own CoAP servers, by tickets.
class NodeClient {
 public:
  struct Callbacks {
    UniqueFunction<void(Ticket, Result<Response>)> responded;
    UniqueFunction<void(Ticket, const Response&)> notified;
  };
  NodeClient(EventLoop& loop, Callbacks callbacks);

  void request(NodeRequest request);
  void observe(NodeRequest request);
  void cancel(Ticket ticket) { operations_.erase(ticket); }
  void cancel_all() { operations_.clear(); }

 private:
  EventLoop& loop_;
  Callbacks callbacks_;
  std::unique_ptr<coap::CoapClient> client_;
  std::unordered_map<Ticket, Operation> operations_;  ///< after the client: they end before it
};

/// The URI of a node's resource, whose name is its decoded path with its query.
[[nodiscard]] std::string resource_uri(const SocketAddress& node, std::string_view resource,
                                       std::string_view scheme = "coap");

}  // namespace aiot::gateway
