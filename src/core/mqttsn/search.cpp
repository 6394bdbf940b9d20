#include "core/mqttsn/search.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <cstring>

#include "core/base/log.h"
#include "core/loop/links.h"
#include "core/mqttsn/packet.h"

namespace aiot::mqttsn {

namespace {

constexpr std::uint16_t kPort = 1885;
constexpr Duration kAgain = std::chrono::seconds(1);
/// A flood of forged answers must not fill memory.
constexpr std::size_t kMaxGateways = 4'096;

SocketAddress address(const std::string& host, std::uint16_t port) {
  const auto parsed = SocketAddress::parse(host, port == 0 ? kPort : port);
  return parsed ? parsed->with_port(port) : SocketAddress();
}

/// The gateway that a GWINFO of another client names in GwAdd; nothing for an address of another network.
SocketAddress named_in(std::string_view bytes) {
  if (bytes.size() == 4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    std::memcpy(&in.sin_addr, bytes.data(), 4);
    return SocketAddress::from(reinterpret_cast<const sockaddr*>(&in), sizeof in).with_port(kPort);
  }
  if (bytes.size() == 16) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    std::memcpy(&in.sin6_addr, bytes.data(), 16);
    return SocketAddress::from(reinterpret_cast<const sockaddr*>(&in), sizeof in).with_port(kPort);
  }
  return {};
}

}  // namespace

Search::Search(EventLoop& loop, DiscoverRequest request, UniqueFunction<void(Discovered)> found,
               Completion<> done)
    : loop_(loop), request_(std::move(request)), found_(std::move(found)), done_(std::move(done)) {}

void Search::start() {
  deadline_ = loop_.make_timer([this] { late(); });
  again_ = loop_.make_timer([this] { ask(); });
  deadline_->start(request_.timeout);
  if (!one_host()) {
    auto opened = open_links();
    if (opened) return again_->start(Duration(0));
    // Not inside the call.
    deadline_ = loop_.make_timer([this, why = std::move(opened).error()] { finish(why); });
    return deadline_->start(Duration(0));
  }
  const auto& uri = *request_.target;
  resolving_ =
      loop_.resolve(uri.zone.empty() ? uri.host : uri.host + '%' + uri.zone, uri.port,
                    [this](Result<std::vector<SocketAddress>> found) { resolved(std::move(found)); });
}

void Search::cancel() {
  done_.dismiss();
  finish({});
}

void Search::resolved(Result<std::vector<SocketAddress>> addresses) {
  if (!addresses) return finish(std::move(addresses).error());
  for (const auto& to : *addresses) {
    if (auto opened = open(address(to.family() == AF_INET6 ? "::" : "0.0.0.0", 0), {to}); !opened)
      return finish(std::move(opened));
  }
  ask();
}

Result<> Search::open_links() {
  const auto links = network_links(request_.interface);
  if (!links) return links.error();
  std::vector<SocketAddress> groups;
  for (const auto& link : *links) {
    const auto& own = link.address;
    if (own.family() == AF_INET) {
      // What is sent from a link's own address leaves there.
      std::vector<SocketAddress> places;
      if (link.loopback) places.push_back(own.with_port(kPort));
      if (link.multicast) {
        places.push_back(address(kGroup4, kPort));
        places.push_back(address("255.255.255.255", kPort));
      }
      if (auto opened = open(own.with_port(0), std::move(places)); !opened)
        log::debug("MQTT-SN: {}", opened.error().message);
    } else {
      if (link.loopback) groups.push_back(address("::1", kPort));
      if (link.multicast) groups.push_back(address(fmt::format("{}%{}", kGroup6, link.index), kPort));
    }
  }
  if (!groups.empty()) {
    if (auto opened = open(address("::", 0), std::move(groups)); !opened)
      log::debug("MQTT-SN: {}", opened.error().message);
  }
  if (sockets_.empty()) return make_error(Errc::unreachable, "no interface is up that can multicast");
  listen();
  return {};
}

Result<> Search::open(const SocketAddress& local, std::vector<SocketAddress> places) {
  auto socket = UdpSocket::bind(
      loop_, local, [this](const SocketAddress& from, std::string_view datagram) { heard(from, datagram); });
  if (!socket) return std::move(socket).error();
  // It may send to broadcast addresses only after this.
  if (!one_host() && local.family() == AF_INET) (void)(*socket)->join(address(kGroup4, kPort), {});
  sockets_.emplace_back(std::move(*socket), std::move(places));
  return {};
}

void Search::listen() {
  // Where gateways ADVERTISE, unless one of this machine has the port: it answers SEARCHGW.
  if (auto opened = open(address("::", kPort), {}); !opened) return;
  auto& socket = *sockets_.back().first;
  for (const char* group : {kGroup4, kGroup6}) {
    if (const auto joined = socket.join(address(group, kPort), request_.interface); !joined)
      log::debug("MQTT-SN: {}", joined.error().message);
  }
}

void Search::ask() {
  const auto question = format_packet({.type = Type::searchgw, .radius = 1});
  for (const auto& [socket, places] : sockets_)
    for (const auto& place : places) socket->send(place, question);
  again_->start(kAgain);
}

void Search::heard(const SocketAddress& from, std::string_view datagram) {
  const auto packet = parse_packet(datagram);
  if (!packet || (packet->type != Type::gwinfo && packet->type != Type::advertise)) return;
  auto gateway = from;
  if (packet->type == Type::gwinfo && !packet->data.empty()) gateway = named_in(packet->data);
  if (gateway.empty() || seen_.size() >= kMaxGateways) return;
  Discovered found;
  found.type = Discovered::Type::node;
  found.node = fmt::format("{}{}", gateway.uri_host(),
                           gateway.port() == kPort ? std::string() : fmt::format(":{}", gateway.port()));
  found.uri = "mqttsn://" + found.node;
  found.protocol = "MQTT-SN";
  found.attributes.emplace_back("gwid", std::to_string(packet->gateway_id));
  if (!done_ || !seen_.insert(found.uri).second) return;
  found_(std::move(found));
  if (one_host()) finish({});
}

void Search::late() {
  if (!seen_.empty()) return finish({});
  finish(make_error(
      Errc::timeout,
      one_host() ? fmt::format("no answer from {} within {}", request_.target->authority(),
                               format_duration(request_.timeout))
                 : fmt::format("no MQTT-SN gateway answered within {}", format_duration(request_.timeout))));
}

void Search::finish(Result<> result) {
  resolving_.cancel();
  if (deadline_) deadline_->stop();
  if (again_) again_->stop();
  sockets_.clear();  // sockets may be destroyed in their own callback
  if (done_) done_(std::move(result));
}

}  // namespace aiot::mqttsn
