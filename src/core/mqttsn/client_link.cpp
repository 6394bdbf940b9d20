#include "core/mqttsn/client_link.h"

namespace aiot::mqttsn {

ClientLink::ClientLink(EventLoop& loop, const SocketAddress& gateway, ClientCoreOptions options,
                       ClientEvents& user)
    : loop_(loop), gateway_(gateway), user_(user), core_(std::move(options), *this) {
  timer_ = loop.make_timer([this] { tick(); });
}

Result<std::unique_ptr<ClientLink>> ClientLink::open(EventLoop& loop, const SocketAddress& gateway,
                                                     ClientCoreOptions options, ClientEvents& user) {
  std::unique_ptr<ClientLink> link(new ClientLink(loop, gateway, std::move(options), user));
  const auto any = SocketAddress::parse(gateway.family() == AF_INET6 ? "[::]:0" : "0.0.0.0:0");
  auto socket =
      UdpSocket::bind(loop, *any, [self = link.get()](const SocketAddress& from, std::string_view datagram) {
        if (from != self->gateway_) return;
        self->core_.received(datagram, self->loop_.now());
        self->tick();
      });
  if (!socket) return std::move(socket).error();
  link->socket_ = std::move(*socket);
  return link;
}

ClientLink::~ClientLink() {
  if (socket_) core_.disconnect(loop_.now());
}

void ClientLink::tick() {
  const auto now = loop_.now();
  timer_->start(core_.tick(now) - now);
}

void ClientLink::connect() {
  core_.connect(loop_.now());
  tick();
}

void ClientLink::publish(Ticket ticket, Message message) {
  core_.publish(ticket, std::move(message), loop_.now());
  tick();
}

void ClientLink::subscribe(Ticket ticket, std::string filter, int qos) {
  core_.subscribe(ticket, std::move(filter), qos, loop_.now());
  tick();
}

void ClientLink::sleep(Duration duration) {
  core_.sleep(duration, loop_.now());
  tick();
}

void ClientLink::wake() {
  core_.wake(loop_.now());
  tick();
}

void ClientLink::forget(Ticket ticket) {
  core_.forget(ticket, loop_.now());
  tick();
}

}  // namespace aiot::mqttsn
