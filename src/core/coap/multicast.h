#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/coap/client_core.h"
#include "core/codec/link_format.h"

/// Inside the room only: GET /.well-known/core to the groups "All CoAP Nodes" (RFC 7252 section 8).
namespace aiot::coap {

class Multicast final : public SessionUser {
 public:
  using Heard = UniqueFunction<void(const SocketAddress& peer, Message answer)>;
  /// `heard` runs once for each peer that answers, on a turn of its own.
  Multicast(ClientCore& core, Heard heard);
  Multicast(const Multicast&) = delete;
  Multicast& operator=(const Multicast&) = delete;
  ~Multicast() override;

  /// Asks `groups` (default: 224.0.1.187, ff02::fd, ff05::fd) on `interface`, or on every one that is up.
  /// Asks a second time after `again`, for what was lost. Errc::unreachable: no such interface, or none can
  /// multicast.
  Result<> ask(const std::vector<SocketAddress>& groups, const std::string& interface,
               const OptionList& options, Duration again);
  static std::vector<SocketAddress> all_coap_nodes();

  void on_event(SessionEvent event) override;
  [[nodiscard]] bool knows_token(std::string_view token) const override { return token == token_; }

 private:
  struct Place {
    SocketAddress group;
    SocketAddress local;
    unsigned interface = 0;
  };
  std::size_t send();

  ClientCore& core_;
  Heard heard_;
  std::string token_;
  Message question_;
  std::vector<Place> places_;
  std::vector<std::shared_ptr<Session>> sessions_;
  std::unordered_set<SocketAddress> seen_;
  Deadlines::Id again_{};
};

}  // namespace aiot::coap
