// Clients of a broker on pyaiot's wire, on plain TCP, that count what they get.
//
// With --until-frames each notes when it has got so many, from before its connection on. Without, a line on
// standard input makes it print what came since the last line, and the end of the input ends it.

#include <sys/epoll.h>

#include <array>
#include <memory>

#include "ws_peer.h"

namespace {

struct Client {
  std::unique_ptr<bench::WsPeer> peer;
  std::uint64_t start_us = 0;
  std::uint64_t first_us = 0;
  std::uint64_t reached_us = 0;
  std::uint64_t frames = 0;
};

struct Count {
  std::uint64_t frames = 0;
  std::uint64_t stamped = 0;  // updates that carry the time at which they were due
  std::uint64_t last_us = 0;
  std::size_t closed = 0;
  bench::Histogram age;
};

void print(const Count& count, const std::vector<Client>& clients) {
  std::printf(
      "{\"clients\":%zu,\"closed\":%zu,\"frames\":%llu,\"stamped\":%llu,\"last_us\":%llu,\"p50_us\":%.0f,"
      "\"p99_us\":%.0f,\"max_us\":%llu,\"reached_ms\":[",
      clients.size(), count.closed, static_cast<unsigned long long>(count.frames),
      static_cast<unsigned long long>(count.stamped), static_cast<unsigned long long>(count.last_us),
      count.age.at(0.5), count.age.at(0.99), static_cast<unsigned long long>(count.age.most()));
  const char* comma = "";
  for (const auto& client : clients) {
    if (client.reached_us == 0) continue;
    std::printf("%s%.2f", comma, static_cast<double>(client.reached_us - client.start_us) / 1000);
    comma = ",";
  }
  std::printf("],\"first_ms\":[");
  comma = "";
  for (const auto& client : clients) {
    if (client.first_us == 0) continue;
    std::printf("%s%.2f", comma, static_cast<double>(client.first_us - client.start_us) / 1000);
    comma = ",";
  }
  std::printf("]}\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(
      argc, argv,
      {{"port", "8000"}, {"path", "/ws"}, {"clients", "1"}, {"until-frames", "0"}, {"seconds", "60"}});
  bench::raise_descriptor_limit();
  const auto until = options.count("until-frames");
  std::vector<Client> clients(options.count("clients"));
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    auto& client = clients[i];
    client.start_us = bench::now_us();
    client.peer = std::make_unique<bench::WsPeer>(static_cast<std::uint16_t>(options.count("port")),
                                                  options.text("path"), "");
    client.peer->queue(R"({"type":"new","data":"client"})");
    client.peer->flush();
    epoll_event event{EPOLLIN, {}};
    event.data.u64 = i;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, client.peer->fd(), &event);
  }
  constexpr std::uint64_t kInput = ~0ULL;
  if (until == 0) {
    epoll_event event{EPOLLIN, {}};
    event.data.u64 = kInput;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
  }
  std::fprintf(stderr, "ready\n");

  Count count;
  std::size_t reached = 0;
  const auto end = bench::now_us() + static_cast<std::uint64_t>(options.number("seconds") * 1e6);
  while (bench::now_us() < end && (until == 0 || reached < clients.size()) && count.closed < clients.size()) {
    std::array<epoll_event, 256> events;
    const int ready = ::epoll_wait(epoll, events.data(), events.size(), 100);
    for (int i = 0; i < ready; ++i) {
      if (events[static_cast<std::size_t>(i)].data.u64 == kInput) {
        char line[256];
        if (::read(STDIN_FILENO, line, sizeof line) <= 0) return 0;
        print(count, clients);
        const auto closed = count.closed;
        count = {};
        count.closed = closed;
        continue;
      }
      auto& client = clients[events[static_cast<std::size_t>(i)].data.u64];
      const auto now = bench::now_us();
      const bool open = client.peer->receive([&](std::string_view frame) {
        if (client.first_us == 0) client.first_us = now;
        ++count.frames;
        ++client.frames;
        if (const auto stamp = bench::stamp_of(frame)) {
          ++count.stamped;
          count.age.add(now > stamp ? now - stamp : 0);
          count.last_us = now;
        }
        if (client.frames == until) {
          client.reached_us = now;
          ++reached;
        }
      });
      if (!open) {
        ++count.closed;
        ::epoll_ctl(epoll, EPOLL_CTL_DEL, client.peer->fd(), nullptr);
      }
    }
  }
  print(count, clients);
  return until == 0 || reached == clients.size() ? 0 : 1;
}
