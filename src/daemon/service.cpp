#include "daemon/service.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/base/address.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/loop/event_loop.h"

namespace aiot {

namespace {

constexpr Duration kDrainTime = std::chrono::seconds(4);  ///< what the parts get
constexpr Duration kEndTime = std::chrono::seconds(5);    ///< after which the process ends all the same

/// systemd's notification socket (sd_notify(3)): a datagram to $NOTIFY_SOCKET, nothing without it.
class Notifier {
 public:
  Notifier() {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
    const std::size_t length = std::strlen(path);
    if (length >= sizeof address_.sun_path) return;
    address_.sun_family = AF_UNIX;
    std::memcpy(address_.sun_path, path, length);
    if (path[0] == '@') address_.sun_path[0] = '\0';
    length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  }
  ~Notifier() {
    if (fd_ >= 0) ::close(fd_);
  }
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void send(std::string_view state) const {
    if (fd_ < 0) return;
    (void)::sendto(fd_, state.data(), state.size(), MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address_), length_);
  }

  /// How often the watchdog must be fed: half of WATCHDOG_USEC, when it is meant for this process.
  [[nodiscard]] static Duration watchdog_interval() {
    const auto number = [](const char* name) {
      const char* text = std::getenv(name);
      long long value = 0;
      if (text != nullptr) std::from_chars(text, text + std::strlen(text), value);
      return value;
    };
    const auto pid = number("WATCHDOG_PID");
    if (pid != 0 && pid != static_cast<long long>(::getpid())) return Duration(0);
    return std::max(Duration(number("WATCHDOG_USEC") / 2), Duration(0));
  }

 private:
  int fd_ = -1;
  sockaddr_un address_{};
  socklen_t length_ = 0;
};

void print_ready(const std::string& command,
                 const std::vector<std::pair<std::string, std::string>>& listeners) {
  std::string line;
  if (log::format() == log::Format::json) {
    line = fmt::format("{{\"event\":\"ready\",\"command\":{},\"listeners\":[", text::json_string(command));
    const char* separator = "";
    for (const auto& [name, where] : listeners) {
      const auto address = SocketAddress::parse(where);
      line +=
          fmt::format("{}{{\"name\":{},\"address\":{},\"port\":{}}}", separator, text::json_string(name),
                      text::json_string(address ? address->host() : where), address ? address->port() : 0);
      separator = ",";
    }
    line += "]}\n";
  } else {
    line = fmt::format("aiot {} ready:", command);
    const char* separator = "";
    for (const auto& [name, where] : listeners) {
      line += fmt::format("{} {} {}", separator, name, where);
      separator = ",";
    }
    line += "\n";
  }
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace

int Service::run(const std::string& command,
                 const std::vector<std::pair<std::string, std::string>>& listeners) {
  const Notifier notifier;
  // Shared: what was asked to stop may say so, or go, when this has long returned.
  struct Ending {
    bool begun = false, drained = false, returned = false;
  };
  const auto ending = std::make_shared<Ending>();

  bool at_once = false;
  const auto end = loop.make_timer([this] { loop.stop(); });
  const auto on_stop = [&] {
    if (ending->begun) {
      log::warn("stopped at once");
      at_once = true;
      loop.stop();
      return;
    }
    ending->begun = true;
    notifier.send("STOPPING=1");
    end->start(kEndTime);
    stop(kDrainTime, [ending, &on = loop](Result<> result) {
      if (ending->returned) return;
      if (!result) log::warn("the end was not clean: {}", result.error().message);
      ending->drained = true;
      on.stop();
    });
  };
  const auto terminate = loop.watch_signal(SIGTERM, on_stop);
  const auto interrupt = loop.watch_signal(SIGINT, on_stop);
  const auto hangup = loop.watch_signal(SIGHUP, [&] {
    if (!reload) return;
    // RELOADING=1 asks for the monotonic time beside it (sd_notify(3)).
    notifier.send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", loop.now().time_since_epoch().count()));
    reload();
    notifier.send("READY=1");
  });

  const auto interval = Notifier::watchdog_interval();
  std::unique_ptr<Timer> watchdog;
  watchdog = loop.make_timer([&] {
    notifier.send("WATCHDOG=1");
    watchdog->start(interval);
  });
  if (interval > Duration(0)) watchdog->start(Duration(0));

  print_ready(command, listeners);
  notifier.send("READY=1");
  loop.run();
  ending->returned = true;
  if (!ending->drained && ending->begun && !at_once)
    log::warn("not everything could be finished within {}", format_duration(kEndTime));
  return ending->drained ? 0 : 1;
}

}  // namespace aiot
