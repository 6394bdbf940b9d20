// One gateway on pyaiot's wire that sends updates, and many clients that count them, in one process.
//
// Without --rate at most --window updates are under way to the slowest client, each of another resource: the
// rate that all keep up with, with nothing to conflate. With --rate the latency of each update at each of a
// few clients counts from when it was due. --mute adds clients that never read.
//
// --wire client: the clients speak aiot.client.v1. --nodes: the updates are of so many nodes in turn, and
// with
// --interest each client follows so many of them, with --rate and conflation, as a dashboard does.

#include <sys/epoll.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>

#include "ws_peer.h"

namespace {

struct Client {
  std::unique_ptr<bench::WsPeer> peer;
  std::uint64_t received = 0;
  bool open = true;
};

/// Seconds of processor time of a process so far, all its threads; 0 for none.
double cpu_of(const std::string& pid) {
  double sum = 0;
  if (pid.empty()) return sum;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + pid + "/task")) {
    double nanoseconds = 0;
    std::ifstream(thread.path() / "schedstat") >> nanoseconds;
    sum += nanoseconds;
  }
  return sum / 1e9;
}

class Wire {
 public:
  Wire(const bench::Options& options)
      : native_(options.text("wire") == "client"),
        nodes_(std::max<std::size_t>(1, options.count("nodes"))),
        interest_(options.count("interest")) {}

  [[nodiscard]] std::string subprotocol() const { return native_ ? "aiot.client.v1" : ""; }
  [[nodiscard]] std::size_t nodes() const { return nodes_; }

  void join(bench::WsPeer& peer, std::size_t index) const {
    if (!native_) {
      peer.queue(R"({"type":"new","data":"client"})");
    } else {
      peer.queue(R"({"type":"hello","version":1})");
      std::string wanted = R"({"type":"subscribe","id":1,"snapshot":false)";
      if (interest_ > 0) {
        wanted += R"(,"conflate":true,"nodes":[)";
        for (std::size_t i = 0; i < interest_; ++i) {
          wanted += (i > 0 ? ",\"n" : "\"n") + std::to_string((index * interest_ + i) % nodes_) + "\"";
        }
        wanted += "]";
      }
      peer.queue(wanted + "}");
    }
    peer.flush();
  }

  /// Calls `take` with the stamp of each update in the frame.
  template <class Take>
  void stamps(std::string_view frame, Take take) const {
    if (!native_) return take(bench::stamp_of(frame));
    constexpr std::string_view name = "\"value\":\"";
    for (auto at = frame.find(name); at != std::string_view::npos; at = frame.find(name, at)) {
      at += name.size();
      std::uint64_t stamp = 0;
      for (; frame[at] >= '0' && frame[at] <= '9'; ++at)
        stamp = stamp * 10 + static_cast<std::uint64_t>(frame[at] - '0');
      take(stamp);
    }
  }

 private:
  bool native_;
  std::size_t nodes_, interest_;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv,
                               {{"port", "8000"},
                                {"gateway-path", "/gw"},
                                {"client-path", "/ws"},
                                {"token", ""},
                                {"clients", "1"},
                                {"mute", "0"},
                                {"window", "256"},
                                {"seconds", "3"},
                                {"warm", "0.5"},
                                {"rate", "0"},
                                {"wire", "pyaiot"},
                                {"nodes", "1"},
                                {"interest", "0"},
                                {"cpu-of", ""}});
  bench::raise_descriptor_limit();
  const auto port = static_cast<std::uint16_t>(options.count("port"));
  const auto window = std::max<std::size_t>(1, options.count("window"));
  const auto token = options.text("token");
  bench::WsPeer gateway(port, options.text("gateway-path"), token.empty() ? "" : "token, " + token);
  const Wire wire(options);
  for (std::size_t i = 0; i < wire.nodes(); ++i) {
    gateway.queue(R"({"type":"new","uid":"n)" + std::to_string(i) + R"(","dst":"all"})");
    while (gateway.queued() > 64 * 1024) gateway.flush();
  }
  gateway.flush();

  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<Client> clients(options.count("clients"));
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].peer = std::make_unique<bench::WsPeer>(port, options.text("client-path"), wire.subprotocol());
    wire.join(*clients[i].peer, i);
    epoll_event event{EPOLLIN, {}};
    event.data.u64 = i;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].peer->fd(), &event);
  }
  std::vector<std::unique_ptr<bench::WsPeer>> mute;
  for (std::size_t i = 0; i < options.count("mute"); ++i) {
    mute.push_back(std::make_unique<bench::WsPeer>(port, options.text("client-path"), wire.subprotocol()));
    wire.join(*mute.back(), i);
  }
  constexpr std::uint64_t kGateway = ~0ULL;
  epoll_event event{EPOLLIN, {}};
  event.data.u64 = kGateway;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, gateway.fd(), &event);

  const auto rate = options.number("rate");
  const auto warm = static_cast<std::uint64_t>(options.number("warm") * 1e6);
  const auto start = bench::now_us();
  const auto counted_from = start + warm;
  const auto end = counted_from + static_cast<std::uint64_t>(options.number("seconds") * 1e6);
  const auto sampled = std::min<std::size_t>(clients.size(), 10);
  std::uint64_t sent = 0;
  std::uint64_t slowest = 0;
  std::uint64_t deliveries = 0;
  std::size_t closed = 0;
  bench::Histogram latency;
  std::uint64_t stopped_at = 0;
  double cpu = -1;  ///< of the broker, before what is counted
  for (;;) {
    auto now = bench::now_us();
    if (now >= end) break;
    if (now >= counted_from && cpu < 0) cpu = cpu_of(options.text("cpu-of"));
    // The gateway's socket fills when the broker does not read: nothing more is queued then.
    while (gateway.queued() < 64 * 1024) {
      auto due = now;
      if (rate > 0) {
        due = start + static_cast<std::uint64_t>(static_cast<double>(sent) * 1e6 / rate);
        if (due > now) break;
      } else if (sent - slowest >= window) {
        break;
      }
      char text[256];
      const int size =
          std::snprintf(text, sizeof text,
                        R"({"type":"update","uid":"n%llu","endpoint":"r%llu","data":"%llu","dst":"all"})",
                        static_cast<unsigned long long>(sent % wire.nodes()),
                        static_cast<unsigned long long>(wire.nodes() > 1 ? 0 : sent % window),
                        static_cast<unsigned long long>(due));
      gateway.queue({text, static_cast<std::size_t>(size)});
      ++sent;
    }
    gateway.flush();

    std::array<epoll_event, 256> events;
    int patience = 1;
    if (rate > 0) {
      const auto due = start + static_cast<std::uint64_t>(static_cast<double>(sent) * 1e6 / rate);
      if (due < now + 1000) patience = 0;
    }
    const int ready = ::epoll_wait(epoll, events.data(), events.size(), patience);
    for (int i = 0; i < ready; ++i) {
      const auto which = events[static_cast<std::size_t>(i)].data.u64;
      if (which == kGateway) {
        if (!gateway.receive([](std::string_view) {}))
          bench::die("the broker closed the gateway's connection");
        continue;
      }
      auto& client = clients[which];
      now = bench::now_us();
      client.open = client.peer->receive([&](std::string_view frame) {
        wire.stamps(frame, [&](std::uint64_t stamp) {
          if (stamp < start) return;  // not an update of this run
          ++client.received;
          if (now < counted_from) return;
          ++deliveries;
          if (which < sampled) latency.add(now > stamp ? now - stamp : 0);
        });
      });
      if (!client.open) {
        ++closed;
        ::epoll_ctl(epoll, EPOLL_CTL_DEL, client.peer->fd(), nullptr);
      }
    }
    if (closed == clients.size()) break;
    slowest = sent;
    for (const auto& client : clients) {
      if (client.open) slowest = std::min(slowest, client.received);
    }
  }
  stopped_at = bench::now_us();
  cpu = cpu_of(options.text("cpu-of")) - cpu;
  const auto seconds = static_cast<double>(stopped_at - counted_from) / 1e6;
  std::printf(
      "{\"clients\":%zu,\"mute\":%zu,\"closed\":%zu,\"seconds\":%.3f,\"sent\":%llu,\"deliveries\":%llu,"
      "\"rate\":%.0f,"
      "\"updates\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%llu,\"behind\":%llu,\"cpu_s\":%.3f}\n",
      clients.size(), mute.size(), closed, seconds, static_cast<unsigned long long>(sent),
      static_cast<unsigned long long>(deliveries), static_cast<double>(deliveries) / seconds,
      static_cast<double>(deliveries) / seconds /
          static_cast<double>(std::max<std::size_t>(1, clients.size())),
      latency.at(0.5), latency.at(0.99), static_cast<unsigned long long>(latency.most()),
      static_cast<unsigned long long>(sent - slowest), cpu);
  return closed == 0 ? 0 : 1;
}
