#pragma once

#include <string>
#include <string_view>

#include "core/model/principal.h"
#include "core/ws/http_server.h"
#include "daemon/broker/asks.h"
#include "daemon/broker/clients.h"
#include "daemon/broker/outbox.h"

namespace aiot::broker {

/// One client of pyaiot's wire at /ws.
class ClientSession final : public ws::WsSession {
 public:
  ClientSession(Clients& clients, Asks& asks, Principal principal);

  void opened(ws::WsConnection& connection) override;
  void received(std::string_view message, bool binary) override;
  void closed() override;

  [[nodiscard]] Outbox& outbox() { return outbox_; }
  [[nodiscard]] const Outbox& outbox() const { return outbox_; }
  [[nodiscard]] ws::WsConnection* connection() { return connection_; }
  [[nodiscard]] const std::string& id() const { return id_; }

  // What Clients keeps with each client.
  bool rejoin = false;   ///< asked for a new snapshot while one or a backlog was under way
  bool dropped = false;  ///< aborted; its end is on its way
  std::uint64_t taken_before = 0;
  TimePoint moved_at{};

 private:
  Clients& clients_;
  Asks& asks_;
  Principal principal_;
  std::string id_;  ///< a UUID: what `dst` says in its snapshot
  Outbox outbox_;
  ws::WsConnection* connection_ = nullptr;
};

}  // namespace aiot::broker
