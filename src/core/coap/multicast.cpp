#include "core/coap/multicast.h"

#include <fmt/core.h>

#include "core/base/log.h"
#include "core/base/random.h"
#include "core/loop/links.h"

namespace aiot::coap {
namespace {

constexpr std::uint8_t kGet = code(0, 1);
/// A flood of forged answers must not fill memory.
constexpr std::size_t kMaxPeers = 65536;

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
  auto links = network_links(interface);
  if (!links) return std::move(links).error();
  std::erase_if(*links, [](const NetworkLink& link) { return !link.multicast; });
  if (links->empty()) {
    return make_error(Errc::unreachable, interface.empty()
                                             ? std::string("no interface is up that can multicast")
                                             : fmt::format("{} is not up, or cannot multicast", interface));
  }
  question_.type = Type::non;
  question_.code = kGet;
  question_.token = token_;
  question_.options = options;
  for (const auto& group : groups) {
    for (const auto& link : *links) {
      if (link.address.family() != group.family()) continue;
      // IPv4 goes out where the source address lives; IPv6 needs to be told.
      const bool six = group.family() == AF_INET6;
      places_.push_back({group, six ? SocketAddress{} : link.address.with_port(0), six ? link.index : 0});
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
