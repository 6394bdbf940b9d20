#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <deque>
#include <utility>

#include "core/base/log.h"
#include "core/base/random.h"
#include "core/loop/event_loop.h"
#include "daemon/simulator/address_plan.h"
#include "daemon/simulator/descriptor_limit.h"
#include "daemon/simulator/schedule.h"
#include "daemon/simulator/simulator.h"
#include "daemon/simulator/udp_table.h"
#include "daemon/simulator/virtual_node.h"

namespace aiot::simulator {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxDatagram = 2048;
constexpr int kEventsPerTurn = 256;
constexpr int kDatagramsPerEvent = 16;
/// First alives that are under way at once: what a socket with Debian's default buffer surely holds.
constexpr std::size_t kJoiningAtOnce = 128;
/// An alive that is not answered is sent again after this; once joined, doubled each time up to the
/// heartbeat.
constexpr Duration kAlivePatience = 2s;
/// RFC 7252 section 4.8: ACK_TIMEOUT, ACK_RANDOM_FACTOR and MAX_RETRANSMIT.
constexpr Duration kAckTimeout = 2s;
constexpr double kAckRandomFactor = 1.5;
constexpr int kMaxRetransmit = 4;
/// How long an acknowledged post may wait for its separate response.
constexpr Duration kSeparatePatience = 60s;
/// Timers come up together within this.
constexpr Duration kGrain = 1ms;

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

Result<Socket> open_socket(const SocketAddress& address) {
  Socket socket(::socket(address.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) return errno_error("opening a node's socket", errno);
  const int on = 1;
  // A gateway on [::]:5683 and these nodes share the port of this machine.
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) {
    ::setsockopt(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    // With `ip -6 route add local PREFIX dev lo` a whole prefix is this machine's.
    ::setsockopt(socket.fd(), IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
  }
  sockaddr_storage storage{};
  const auto length = address.to(storage);
  if (::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    return errno_error("a node's CoAP server at " + address.text(), errno);
  }
  return socket;
}

Error in_use(const SocketAddress& address) {
  return make_error(Errc::unreachable, fmt::format("the address {} is in use, perhaps by another simulation: "
                                                   "choose another base address",
                                                   address.text()));
}

/// Of two simulations that start at once, both may find an address free: the first node's is also taken as an
/// abstract name, which one socket alone of this network namespace can have.
Result<Socket> claim(const SocketAddress& address) {
  Socket socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) return errno_error("opening a socket", errno);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const auto text = "aiot-node " + address.text();
  text.copy(&name.sun_path[1], sizeof name.sun_path - 1);
  const auto length = offsetof(sockaddr_un, sun_path) + 1 + std::min(text.size(), sizeof name.sun_path - 1);
  if (::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&name), static_cast<socklen_t>(length)) != 0)
    return errno == EADDRINUSE ? in_use(address) : errno_error("claiming " + address.text(), errno);
  return socket;
}

class LiveCoapNodes final : public CoapNodes {
 public:
  LiveCoapNodes(EventLoop& loop, CoapOptions options) : loop_(loop), options_(std::move(options)) {}

  Result<void> start() override {
    if (options_.nodes == 0 || options_.nodes > kMaxNodes) {
      return make_error(Errc::usage, fmt::format("the number of nodes must be 1 to {}", kMaxNodes));
    }
    auto blueprint = Blueprint::make(options_.resources, options_.confirmable);
    if (!blueprint) return std::move(blueprint).error();
    blueprint_ = *std::move(blueprint);
    auto plan = AddressPlan::make(options_.base_address, options_.port, options_.nodes);
    if (!plan) return std::move(plan).error();
    if (options_.gateway.family() != plan->family()) {
      return make_error(
          Errc::usage,
          fmt::format("nodes at {} cannot speak to the gateway at {}: one is IPv4, the other IPv6",
                      options_.base_address, options_.gateway.text()));
    }
    if (auto reserved = reserve_descriptors(options_.nodes); !reserved) return reserved;
    epoll_ = Socket(::epoll_create1(EPOLL_CLOEXEC));
    if (epoll_.fd() < 0) return errno_error("epoll", errno);
    gateway_length_ = options_.gateway.to(gateway_);

    auto claimed = claim(plan->node(0));
    if (!claimed) return std::move(claimed).error();
    claim_ = *std::move(claimed);
    const auto taken = bound_udp_addresses();
    members_.reserve(options_.nodes);
    for (std::size_t i = 0; i < options_.nodes; ++i) {
      if (taken.count(plan->node(i)) != 0) {
        return in_use(plan->node(i));
      }
      auto socket = open_socket(plan->node(i));
      if (!socket) return std::move(socket).error();
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      if (::epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, socket->fd(), &event) != 0) {
        return errno_error("watching a node's socket", errno);
      }
      members_.emplace_back(*std::move(socket), VirtualNode(blueprint_, options_.first + i));
      joining_.push_back(static_cast<std::uint32_t>(i));
    }
    timer_ = loop_.make_timer([this] { run_due(); });
    watch_ = loop_.watch(epoll_.fd(), FdWatch::kReadable, [this](unsigned) { receive_all(); });
    loop_.post([this, alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired()) let_join();
    });
    return {};
  }

  [[nodiscard]] Counters counters() const override { return counters_; }

 private:
  struct Member {
    Member(Socket opened, VirtualNode made) : socket(std::move(opened)), node(std::move(made)) {}
    Socket socket;
    VirtualNode node;
    bool joined = false;
    bool joining = false;           ///< its first alive is under way
    std::uint32_t alive_round = 0;  ///< counts alives, so that an answered one's retry is void
    std::uint32_t post_round = 0;   ///< the same of posts and their retransmissions
    int alive_attempts = 0;
    int post_attempts = 0;
    Duration patience{};
  };

  void let_join() {
    while (under_way_ < kJoiningAtOnce && !joining_.empty()) {
      const auto index = joining_.front();
      joining_.pop_front();
      members_[index].joining = true;
      ++under_way_;
      send_alive(index);
    }
    arm();
  }

  void finish_joining(Member& member) {
    if (std::exchange(member.joining, false)) --under_way_;
  }

  void send_alive(std::uint32_t index) {
    auto& member = members_[index];
    const bool reset = options_.boot_reset && !member.joined;
    ++counters_.alives_sent;
    send(member, member.node.make_alive(reset));
    // A node that joins holds one of few places, so it does not wait longer each time.
    const auto doubled = kAlivePatience * (1 << std::min(member.alive_attempts, 4));
    const auto patience =
        member.joined ? std::min<Duration>(doubled, std::max<Duration>(options_.heartbeat, kAlivePatience))
                      : kAlivePatience;
    ++member.alive_attempts;
    schedule(patience, index, Due::alive, ++member.alive_round);
  }

  void alive_due(std::uint32_t index) {
    auto& member = members_[index];
    if (!member.joined && member.joining) {
      // Unanswered: make room for another node and try again behind those that wait.
      finish_joining(member);
      joining_.push_back(index);
      let_join();
      return;
    }
    send_alive(index);
  }

  void alive_answered(std::uint32_t index, bool welcome) {
    auto& member = members_[index];
    member.alive_attempts = 0;
    schedule(options_.heartbeat, index, Due::alive, ++member.alive_round);
    finish_joining(member);
    if (welcome && !std::exchange(member.joined, true)) {
      ++counters_.joined;
      if (options_.interval > Duration::zero()) {
        // Spread over the interval, so that the nodes do not post in step.
        schedule(Duration(static_cast<Duration::rep>(random_u64() %
                                                     static_cast<std::uint64_t>(options_.interval.count()))),
                 index, Due::post, ++member.post_round);
      }
    }
    let_join();
  }

  void post_due(std::uint32_t index) {
    auto& member = members_[index];
    if (options_.confirmable && member.node.awaits_post()) {
      ++counters_.posts_skipped;
    } else {
      if (member.node.awaits_post()) ++counters_.posts_unanswered;
      const auto datagram = member.node.make_post();
      if (!datagram.empty()) {
        ++counters_.posts_sent;
        send(member, datagram);
        member.post_attempts = 0;
        if (options_.confirmable) {
          const auto random =
              1 + (kAckRandomFactor - 1) * static_cast<double>(random_u64() >> 11) * 0x1.0p-53;
          member.patience = Duration(static_cast<Duration::rep>(kAckTimeout.count() * random));
          schedule(member.patience, index, Due::retransmit, ++member.post_round);
        }
      }
    }
    // Posts keep their beat whatever becomes of the last one.
    schedule(options_.interval, index, Due::post, 0);
  }

  void retransmit_due(std::uint32_t index) {
    auto& member = members_[index];
    const auto datagram = member.node.unacknowledged_post();
    if (datagram.empty() || member.post_attempts >= kMaxRetransmit) {
      member.node.abandon_post();
      ++counters_.posts_unanswered;
      return;
    }
    ++member.post_attempts;
    ++counters_.retransmissions;
    send(member, datagram);
    member.patience *= 2;
    schedule(member.patience, index, Due::retransmit, member.post_round);
  }

  void receive_all() {
    std::array<epoll_event, kEventsPerTurn> events;
    const int ready = ::epoll_wait(epoll_.fd(), events.data(), kEventsPerTurn, 0);
    for (int i = 0; i < ready; ++i) receive_on(static_cast<std::uint32_t>(events[i].data.u64));
  }

  void receive_on(std::uint32_t index) {
    std::array<char, kMaxDatagram> buffer;
    for (int i = 0; i < kDatagramsPerEvent; ++i) {
      sockaddr_storage storage{};
      socklen_t length = sizeof storage;
      const auto size = ::recvfrom(members_[index].socket.fd(), buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&storage), &length);
      if (size < 0) return;
      handle(index, SocketAddress::from(reinterpret_cast<const sockaddr*>(&storage), length), storage, length,
             {buffer.data(), static_cast<std::size_t>(size)});
    }
  }

  void handle(std::uint32_t index, const SocketAddress& peer, const sockaddr_storage& storage,
              socklen_t length, std::string_view datagram) {
    auto& member = members_[index];
    const auto heard = member.node.receive(peer, datagram, reply_);
    if (!reply_.empty()) send_to(member, reply_, storage, length);
    switch (heard) {
      case Heard::nothing: break;
      case Heard::malformed: ++counters_.malformed; break;
      case Heard::write:
        ++counters_.writes;
        ++counters_.requests_served;
        break;
      case Heard::request:
      case Heard::duplicate: ++counters_.requests_served; break;
      case Heard::alive_answer: alive_answered(index, true); break;
      case Heard::alive_refusal:
        log::debug("{} was refused by the gateway", member.node.uid());
        alive_answered(index, false);
        break;
      case Heard::post_answer:
        ++counters_.posts_acknowledged;
        ++member.post_round;
        break;
      case Heard::post_refusal:
        ++counters_.posts_refused;
        ++member.post_round;
        break;
      case Heard::post_accepted:
        schedule(kSeparatePatience, index, Due::retransmit, ++member.post_round);
        break;
    }
  }

  void send(Member& member, std::string_view datagram) {
    send_to(member, datagram, gateway_, gateway_length_);
  }

  void send_to(Member& member, std::string_view datagram, const sockaddr_storage& to, socklen_t length) {
    if (::sendto(member.socket.fd(), datagram.data(), datagram.size(), 0,
                 reinterpret_cast<const sockaddr*>(&to), length) < 0) {
      ++counters_.send_failures;
    }
  }

  void schedule(Duration delay, std::uint32_t index, Due due, std::uint32_t round) {
    schedule_.add({loop_.now() + delay, index, round, due});
    arm();
  }

  void arm() {
    if (running_due_ || schedule_.empty() || !timer_) return;
    if (timer_->armed() && schedule_.next() >= armed_for_) return;
    armed_for_ = schedule_.next();
    timer_->start(std::max(kGrain, armed_for_ - loop_.now()));
  }

  void run_due() {
    running_due_ = true;
    Schedule::Entry entry;
    // Bounded: answers must be read between two bursts.
    for (int i = 0; i < kEventsPerTurn && schedule_.take(loop_.now(), entry); ++i) {
      const auto& member = members_[entry.node];
      switch (entry.due) {
        case Due::alive:
          if (entry.round == member.alive_round) alive_due(entry.node);
          break;
        case Due::post: post_due(entry.node); break;
        case Due::retransmit:
          if (entry.round == member.post_round) retransmit_due(entry.node);
          break;
      }
    }
    running_due_ = false;
    arm();
  }

  EventLoop& loop_;
  CoapOptions options_;
  Blueprint blueprint_;
  sockaddr_storage gateway_{};
  socklen_t gateway_length_ = 0;
  Socket claim_;
  Socket epoll_;
  std::vector<Member> members_;
  std::deque<std::uint32_t> joining_;
  std::size_t under_way_ = 0;
  Schedule schedule_;
  bool running_due_ = false;
  TimePoint armed_for_{};
  Counters counters_;
  std::string reply_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<FdWatch> watch_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace

std::unique_ptr<CoapNodes> CoapNodes::make(EventLoop& loop, CoapOptions options) {
  return std::make_unique<LiveCoapNodes>(loop, std::move(options));
}

}  // namespace aiot::simulator
