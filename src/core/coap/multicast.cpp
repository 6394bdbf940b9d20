#include "core/coap/multicast.h"

#include <fmt/core.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <cerrno>

#include "core/base/log.h"
#include "core/base/random.h"

namespace aiot::coap {
namespace {

constexpr std::uint8_t kGet = code(0, 1);
/// A flood of forged answers must not fill memory.
constexpr std::size_t kMaxPeers = 65536;

struct Link4or6 {
  unsigned index = 0;
  bool six = false;
  SocketAddress address;  ///< one of the interface's own
};

/// Every interface that is up and can multicast (or the one named), once for IPv4 with its address and once
/// for IPv6.
Result<std::vector<Link4or6>> links_of(const std::string& interface) {
  if (!interface.empty() && if_nametoindex(interface.c_str()) == 0)
    return make_error(Errc::unreachable, fmt::format("{}: no such interface", interface));
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return errno_error("cannot list the interfaces", errno);
  std::vector<Link4or6> links;
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || (at->ifa_flags & IFF_UP) == 0 || (at->ifa_flags & IFF_MULTICAST) == 0)
      continue;
    if (!interface.empty() && interface != at->ifa_name) continue;
    const int family = at->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    Link4or6 link;
    link.index = if_nametoindex(at->ifa_name);
    link.six = family == AF_INET6;
    link.address = SocketAddress::from(at->ifa_addr, link.six ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    bool known = false;
    for (const auto& other : links) {
      if (other.index == link.index && other.six && link.six) known = true;
    }
    if (!known && link.index != 0) links.push_back(link);
  }
  freeifaddrs(list);
  if (links.empty()) {
    return make_error(Errc::unreachable, interface.empty()
                                             ? std::string("no interface is up that can multicast")
                                             : fmt::format("{} is not up, or cannot multicast", interface));
  }
  return links;
}

}  // namespace

std::vector<SocketAddress> Multicast::all_coap_nodes() {
  std::vector<SocketAddress> groups;
  for (const char* text : {"224.0.1.187:5683", "[ff02::fd]:5683", "[ff05::fd]:5683"}) {
    if (auto group = SocketAddress::parse(text)) groups.push_back(*group);
  }
  return groups;
}

Multicast::Multicast(ClientCore& core, Heard heard) : core_(core), heard_(std::move(heard)) {
  token_.resize(8);
  random_bytes(token_.data(), token_.size());
}

Multicast::~Multicast() {
  core_.deadlines().cancel(again_);
  for (const auto& session : sessions_) session->close();
}

Result<> Multicast::ask(const std::vector<SocketAddress>& groups, const std::string& interface,
                        const OptionList& options, Duration again) {
  auto links = links_of(interface);
  if (!links) return std::move(links).error();
  question_.type = Type::non;
  question_.code = kGet;
  question_.token = token_;
  question_.options = options;
  for (const auto& group : groups) {
    for (const auto& link : *links) {
      if (link.six != (group.family() == AF_INET6)) continue;
      // IPv4 goes out where the source address lives; IPv6 needs to be told.
      places_.push_back(
          {group, link.six ? SocketAddress{} : link.address.with_port(0), link.six ? link.index : 0});
    }
  }
  if (send() == 0) return make_error(Errc::unreachable, "no interface lets multicast out");
  again_ = core_.deadlines().at(core_.loop().now() + again, [this] { send(); });
  return {};
}

/// A session a place and time: libcoap's session takes on the address of whoever answers.
std::size_t Multicast::send() {
  std::size_t sent = 0;
  for (const auto& place : places_) {
    auto session = core_.make_session(Endpoint{place.group, place.local, false}, *this);
    if (!session) {
      log::debug("multicast to {}: {}", place.group.text(), session.error().message);
      continue;
    }
    if (place.interface != 0) (*session)->set_multicast_interface(place.interface);
    if (auto left = (*session)->send(question_); !left) {
      log::debug("multicast to {}: {}", place.group.text(), left.error().message);
      continue;
    }
    ++sent;
    sessions_.push_back(std::move(*session));
  }
  return sent;
}

void Multicast::on_event(SessionEvent event) {
  if (event.kind != SessionEvent::Kind::message || event.from.empty()) return;
  if (seen_.size() < kMaxPeers && seen_.insert(event.from).second)
    heard_(event.from, std::move(event.message));
}

}  // namespace aiot::coap
