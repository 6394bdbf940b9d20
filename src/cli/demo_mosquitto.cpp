#include "cli/demo_mosquitto.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "core/base/text.h"

namespace aiot::cli {

namespace {

/// Its path, also where daemons are and a user's PATH may not lead.
std::string find_mosquitto() {
  const char* path = ::getenv("PATH");
  const std::string folders = std::string(path == nullptr ? "" : path) + ":/usr/sbin:/usr/local/sbin";
  for (const auto folder : text::split(folders, ':')) {
    auto file = fmt::format("{}/mosquitto", folder);
    if (!folder.empty() && ::access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

/// A port that was free a moment ago.
Result<SocketAddress> free_address() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno_error("finding a free port", errno);
  sockaddr_storage storage{};
  socklen_t length = SocketAddress::parse("127.0.0.1:0")->to(storage);
  auto* name = reinterpret_cast<sockaddr*>(&storage);
  const bool bound = ::bind(fd, name, length) == 0 && ::getsockname(fd, name, &length) == 0;
  const int error = errno;
  ::close(fd);
  if (!bound) return errno_error("finding a free port", error);
  return SocketAddress::from(name, length);
}

}  // namespace

Result<void> DemoMosquitto::start(const std::string& folder) {
  const std::string program = find_mosquitto();
  if (program.empty()) return make_error(Errc::unreachable, "there is no mosquitto on this machine");
  auto address = free_address();
  if (!address) return address.error();
  address_ = *address;
  const std::string config = folder + "/mosquitto.conf";
  std::ofstream file(config);
  file << "listener " << address_.port()
       << " 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_type none\n";
  if (::geteuid() == 0) file << "user root\n";
  file.close();
  if (!file) return make_error(Errc::internal, "cannot write " + config);

  const char* const arguments[] = {program.c_str(), "-c", config.c_str(), nullptr};
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) return errno_error("starting mosquitto", errno);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);
    ::setpgid(0, 0);  // Ctrl-C is for the demo, which then ends this in its turn
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const int null = ::open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2}) ::dup2(null, fd);
    ::execv(program.c_str(), const_cast<char* const*>(arguments));
    ::_exit(127);
  }
  return {};
}

void DemoMosquitto::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace aiot::cli
