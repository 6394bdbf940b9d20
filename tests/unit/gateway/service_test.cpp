#include "daemon/service.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/base/log.h"
#include "core/loop/event_loop.h"

using namespace aiot;
using namespace std::chrono_literals;

namespace {

/// systemd's end of the notification socket.
class Manager {
 public:
  Manager() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // An abstract name: nothing is left behind.
    name_ = "@aiot-service-test-" + std::to_string(::getpid());
    std::memcpy(address.sun_path, name_.data(), name_.size());
    address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    ::setenv("NOTIFY_SOCKET", name_.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "40000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager() {
    ::close(fd_);
    for (const auto* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  /// Everything it was told, each in brackets.
  std::string heard() {
    std::string out;
    char buffer[512];
    for (ssize_t got = 0; (got = ::recv(fd_, buffer, sizeof buffer, 0)) > 0;)
      out += "[" + std::string(buffer, static_cast<std::size_t>(got)) + "]";
    return out;
  }

 private:
  int fd_;
  std::string name_;
};

/// What the process writes to stderr while this stands.
class CapturedErrors {
 public:
  CapturedErrors() : file_(std::tmpfile()), saved_(::dup(2)) { ::dup2(::fileno(file_), 2); }
  CapturedErrors(const CapturedErrors&) = delete;
  CapturedErrors& operator=(const CapturedErrors&) = delete;
  ~CapturedErrors() {
    ::dup2(saved_, 2);
    ::close(saved_);
    std::fclose(file_);
  }
  std::string text() {
    std::fflush(stderr);
    char buffer[4096];
    const auto got = ::pread(::fileno(file_), buffer, sizeof buffer, 0);
    return {buffer, static_cast<std::size_t>(got > 0 ? got : 0)};
  }

 private:
  std::FILE* file_;
  int saved_;
};

}  // namespace

TEST_CASE("A service tells systemd what it does, drains at SIGTERM and ends with 0") {
  Manager manager;
  auto loop = make_uv_loop();
  bool reloaded = false;
  std::unique_ptr<Timer> drained, act;
  Duration given{};
  std::string output;
  {
    Service service{*loop,
                    [&](Duration deadline, Completion<> done) {
                      given = deadline;
                      drained = loop->make_timer([done = std::move(done)]() mutable { done(Result<>()); });
                      drained->start(20ms);
                    },
                    [&] { reloaded = true; }};
    act = loop->make_timer([&] {
      if (!reloaded) {
        ::raise(SIGHUP);
        act->start(100ms);
      } else {
        ::raise(SIGTERM);
      }
    });
    act->start(10ms);
    CapturedErrors errors;
    CHECK(service.run("serve-broker", {{"http", "127.0.0.1:8000"}, {"x", "[::1]:5"}}) == 0);
    output = errors.text();
  }
  CHECK(output.find("aiot serve-broker ready: http 127.0.0.1:8000, x [::1]:5\n") != std::string::npos);
  CHECK(reloaded);
  CHECK(given > 0s);
  CHECK(given < 5s);
  const auto heard = manager.heard();
  INFO(heard);
  CHECK(heard.find("[READY=1]") == 0);
  CHECK(heard.find("[RELOADING=1\nMONOTONIC_USEC=") != std::string::npos);
  CHECK(heard.find("[WATCHDOG=1]") != std::string::npos);
  CHECK(heard.rfind("[STOPPING=1]") > heard.rfind("[READY=1]"));
}

TEST_CASE("The ready line is one JSON object where logs are") {
  auto loop = make_uv_loop();
  log::set_format(log::Format::json);
  const auto act = loop->make_timer([] { ::raise(SIGINT); });
  act->start(10ms);
  Service service{*loop, [](Duration, Completion<> done) { done(Result<>()); }, {}};
  std::string output;
  {
    CapturedErrors errors;
    CHECK(service.run("serve-gateway", {{"coap", "[::]:5683"}, {"coap+tcp", "127.0.0.1:1"}}) == 0);
    output = errors.text();
  }
  log::set_format(log::Format::text);
  CHECK(output ==
        "{\"event\":\"ready\",\"command\":\"serve-gateway\",\"listeners\":["
        "{\"name\":\"coap\",\"address\":\"::\",\"port\":5683},"
        "{\"name\":\"coap+tcp\",\"address\":\"127.0.0.1\",\"port\":1}]}\n");
}

TEST_CASE("A second signal ends a drain that does not come to its end") {
  auto loop = make_uv_loop();
  int signals = 0;
  std::unique_ptr<Timer> act;
  act = loop->make_timer([&] {
    ::raise(SIGTERM);
    if (++signals < 2) act->start(50ms);
  });
  act->start(10ms);
  Completion<> never;
  Service service{*loop, [&](Duration, Completion<> done) { never = std::move(done); }, {}};
  CapturedErrors errors;
  CHECK(service.run("serve-gateway", {}) == 1);
  never.dismiss();
}
