// WebSocket nodes that send updates, and the client of the broker that counts them, in one process.
//
// Each node keeps its connection and sends {"type":"update","data":{"value":N}}, one frame a write, in turn.
// At most
// --window updates are on their way to the client; N tells which one arrived. What has not arrived within a
// second is lost.

#include <sys/epoll.h>

#include <array>
#include <deque>

#include "requests.h"
#include "ws_peer.h"

namespace {

constexpr std::uint64_t kClient = ~0ULL;

class Load {
 public:
  explicit Load(const bench::Options& options)
      : window_(std::clamp<std::size_t>(options.count("window"), 1, bench::Requests::kTable / 2)),
        pids_(options.text("pids")),
        client_(static_cast<std::uint16_t>(options.count("client-port")), options.text("client-path"), ""),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    client_.queue(R"({"type":"new","data":"client"})");
    client_.flush();
    watch(client_, kClient);
    const auto begin = bench::now_us();
    for (std::size_t i = 0; i < std::max<std::size_t>(1, options.count("nodes")); ++i) {
      nodes_.emplace_back(static_cast<std::uint16_t>(options.count("port")),
                          options.text("path") + "?uid=" + options.text("prefix") + "-" + std::to_string(i),
                          "", kNodeBuffer);
      watch(nodes_.back(), i);
    }
    // Each node's first update introduces it; all are there once all have arrived.
    const auto end = begin + static_cast<std::uint64_t>(options.number("join-patience") * 1e6);
    for (std::size_t sent = 0; sent < nodes_.size() || requests_.outstanding() > 0;) {
      const auto now = bench::now_us();
      if (now > end) bench::die("not every node's first update has arrived in time");
      for (; sent < nodes_.size() && requests_.outstanding() < window_; ++sent) send(now);
      receive(now + 1000);
    }
    join_seconds_ = static_cast<double>(bench::now_us() - begin) / 1e6;
    requests_.forget();
  }

  void run(double seconds, double rate) {
    requests_.run(
        seconds, rate, window_, pids_, [this](std::uint64_t due_us) { return send(due_us); },
        [this](std::uint64_t until_us) { receive(until_us); });
  }

  void print() const { requests_.print(nodes_.size(), join_seconds_); }

 private:
  /// A node is told little.
  static constexpr std::size_t kNodeBuffer = 1024;
  /// More than this waits for a node's socket: the gateway does not read.
  static constexpr std::size_t kMaxQueued = 64 * 1024;

  void watch(const bench::WsPeer& peer, std::uint64_t which) const {
    epoll_event event{EPOLLIN, {}};
    event.data.u64 = which;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd(), &event);
  }

  bool send(std::uint64_t due_us) {
    auto& node = nodes_[turn_];
    turn_ = turn_ + 1 == nodes_.size() ? 0 : turn_ + 1;
    if (node.queued() > kMaxQueued) return false;
    char text[96];
    const int size = std::snprintf(text, sizeof text, R"({"type":"update","data":{"value":%llu}})",
                                   static_cast<unsigned long long>(requests_.remember(due_us)));
    node.queue({text, static_cast<std::size_t>(size)});
    node.flush();
    return true;
  }

  void receive(std::uint64_t until_us) {
    const auto begin = bench::now_us();
    std::array<epoll_event, 256> events;
    const int ready = ::epoll_wait(epoll_, events.data(), events.size(),
                                   until_us > begin ? static_cast<int>((until_us - begin) / 1000) : 0);
    for (int i = 0; i < ready; ++i) {
      const auto which = events[static_cast<std::size_t>(i)].data.u64;
      const auto now = bench::now_us();
      const bool open = which == kClient ? client_.receive([&](std::string_view frame) { take(frame, now); })
                                         : nodes_[which].receive([](std::string_view) {});
      if (!open)
        bench::die(which == kClient ? "the client's connection was closed"
                                    : "a node's connection was closed");
    }
    for (auto& node : nodes_) {
      if (node.queued() > 0) node.flush();
    }
  }

  void take(std::string_view frame, std::uint64_t now) {
    const auto sequence = bench::stamp_of(frame);
    std::uint16_t tag = 0;
    if (sequence != 0 && requests_.find(sequence, tag)) requests_.settle(sequence, now);
  }

  std::size_t window_;
  std::string pids_;
  bench::WsPeer client_;
  std::deque<bench::WsPeer> nodes_;
  int epoll_;
  bench::Requests requests_;
  std::size_t turn_ = 0;
  double join_seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = bench::load_options(
      argc, argv, {{"port", "8001"}, {"path", "/node"}, {"client-port", "8000"}, {"client-path", "/ws"}});
  bench::raise_descriptor_limit();
  Load load(options);
  load.run(options.number("seconds"), options.number("rate"));
  load.print();
}
