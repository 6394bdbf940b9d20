#pragma once

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/client.h"
#include "core/loop/event_loop.h"
#include "core/loop/udp_socket.h"

namespace aiot::mqttsn {

/// Inside the room only: looks for gateways (section 6.1): SEARCHGW to the groups on every link, to broadcast
/// and to loopback, or to the host that is named; whoever says GWINFO or ADVERTISE is one.
class Search final {
 public:
  Search(EventLoop& loop, DiscoverRequest request, UniqueFunction<void(Discovered)> found, Completion<> done);
  void start();
  void cancel();

 private:
  [[nodiscard]] bool one_host() const { return request_.target && !request_.target->host.empty(); }
  Result<> open_links();
  void resolved(Result<std::vector<SocketAddress>> addresses);
  /// A socket whose questions go to `places`.
  Result<> open(const SocketAddress& local, std::vector<SocketAddress> places);
  void listen();
  void ask();
  void heard(const SocketAddress& from, std::string_view datagram);
  void finish(Result<> result);
  void late();

  EventLoop& loop_;
  DiscoverRequest request_;
  UniqueFunction<void(Discovered)> found_;
  Completion<> done_;
  std::vector<std::pair<std::unique_ptr<UdpSocket>, std::vector<SocketAddress>>> sockets_;
  std::set<std::string> seen_;
  Operation resolving_;
  std::unique_ptr<Timer> deadline_, again_;
};

}  // namespace aiot::mqttsn
