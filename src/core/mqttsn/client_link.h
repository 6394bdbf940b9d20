#pragma once

#include <memory>

#include "core/loop/event_loop.h"
#include "core/loop/udp_socket.h"
#include "core/mqttsn/client_core.h"

namespace aiot::mqttsn {

/// A ClientCore with a UDP socket of its own and the loop's time. Destroyed it says DISCONNECT; that may not
/// happen inside one of its events.
class ClientLink final : private ClientEffects {
 public:
  /// Opens a socket for the gateway's family; what else gateways say is not heard. `user` outlives it.
  /// Errc::unreachable or internal: no socket.
  static Result<std::unique_ptr<ClientLink>> open(EventLoop& loop, const SocketAddress& gateway,
                                                  ClientCoreOptions options, ClientEvents& user);
  ~ClientLink() override;
  ClientLink(const ClientLink&) = delete;
  ClientLink& operator=(const ClientLink&) = delete;

  // As ClientCore's.
  void connect();
  void publish(Ticket ticket, Message message);
  void subscribe(Ticket ticket, std::string filter, int qos);
  void sleep(Duration duration);
  void wake();
  void forget(Ticket ticket);
  [[nodiscard]] const ClientCore& core() const { return core_; }
  [[nodiscard]] const SocketAddress& gateway() const { return gateway_; }
  [[nodiscard]] UdpCounters udp_counters() const { return socket_->counters(); }

 private:
  ClientLink(EventLoop& loop, const SocketAddress& gateway, ClientCoreOptions options, ClientEvents& user);
  void tick();
  void send(std::string datagram) override { socket_->send(gateway_, std::move(datagram)); }
  void connected() override { user_.connected(); }
  void lost(const Error& why) override { user_.lost(why); }
  void received(Message message) override { user_.received(std::move(message)); }
  void done(Ticket ticket, Result<> result) override { user_.done(ticket, std::move(result)); }
  void asleep() override { user_.asleep(); }

  EventLoop& loop_;
  SocketAddress gateway_;
  ClientEvents& user_;
  ClientCore core_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<UdpSocket> socket_;
};

}  // namespace aiot::mqttsn
