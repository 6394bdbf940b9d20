#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "support/tcp_listener.h"
#include "support/temporary_folder.h"

namespace aiot::test {

/// Debian's mosquitto on a free port of loopback, with its own configuration in a folder of its own. Ended by
/// its pid.
class Mosquitto {
 public:
  /// `more`: further lines of the configuration; FOLDER in it stands for folder().
  explicit Mosquitto(std::string more = {}, const std::string& listener = {}) : port_(free_port()) {
    for (auto at = more.find("FOLDER"); at != std::string::npos; at = more.find("FOLDER", at))
      more.replace(at, 6, folder_.path);
    more_ = more;
    listener_ = listener;
    for (auto at = listener_.find("FOLDER"); at != std::string::npos; at = listener_.find("FOLDER", at))
      listener_.replace(at, 6, folder_.path);
  }
  ~Mosquitto() { stop(SIGKILL); }
  Mosquitto(const Mosquitto&) = delete;
  Mosquitto& operator=(const Mosquitto&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& folder() const { return folder_.path; }
  void write_file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path + "/" + name) << text;
  }

  /// Returns once it accepts connections. Again after stop(): on the same port.
  void start() {
    const bool anonymous = more_.find("allow_anonymous") == std::string::npos;
    write_file("mosquitto.conf", "listener " + std::to_string(port_) + " 127.0.0.1\n" + listener_ +
                                     "\nuser root\nlog_dest file " + folder_.path +
                                     "/log\nlog_type all\nmax_queued_messages 1000000\n" +
                                     (anonymous ? "allow_anonymous true\n" : "") + more_ + "\n");
    const std::string config = folder_.path + "/mosquitto.conf";
    const char* argv[] = {"mosquitto", "-c", config.c_str(), nullptr};
    const char* paths[] = {"/usr/sbin/mosquitto", "/usr/bin/mosquitto"};
    int rc = ENOENT;
    for (const char* path : paths) {
      rc = posix_spawn(&pid_, path, nullptr, nullptr, const_cast<char**>(argv), environ);
      if (rc == 0) break;
    }
    REQUIRE(rc == 0);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!accepts()) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      REQUIRE(waitpid(pid_, nullptr, WNOHANG) == 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  void stop(int signal = SIGTERM) {
    if (pid_ <= 0) return;
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  static std::uint16_t free_port() { return TcpListener().port(); }

 private:
  [[nodiscard]] bool accepts() const {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port_);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool out = connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
    close(fd);
    return out;
  }

  TemporaryFolder folder_;
  std::string more_, listener_;
  std::uint16_t port_;
  pid_t pid_ = -1;
};

}  // namespace aiot::test
