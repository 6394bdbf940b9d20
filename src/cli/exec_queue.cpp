#include "cli/exec_queue.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "cli/present.h"
#include "core/base/log.h"

namespace aiot::cli {

namespace {

/// The kernel refuses a longer string in an environment (MAX_ARG_STRLEN is 128 KB); the value is on stdin
/// anyway.
constexpr std::size_t kMaxVariable = 100 * 1024;

/// The fields of a result (aiot-json(7)); what an outer --exec left of them is not passed on.
constexpr const char* kFields[] = {"time",     "uri",      "node",  "gateway", "resource", "value",
                                   "encoding", "number",   "unit",  "format",  "code",     "protocol",
                                   "qos",      "retained", "state", "age_s",   "seq",      "time_uncertain",
                                   "etag",     "rtt_ms"};

std::string variable_name(const char* field) {
  std::string out = "AIOT_";
  for (const char* c = field; *c != '\0'; ++c)
    out += *c >= 'a' && *c <= 'z' ? static_cast<char>(*c - 32) : *c;
  return out;
}

/// A command has no use for the secret that aiot was given.
constexpr std::string_view kSecret = "AIOT_TOKEN";

/// Waits until the process has ended, without reaping it.
void wait_for_end(pid_t process, Duration most) {
  // glibc 2.36 declares pidfd_open() without extern "C".
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
  if (fd < 0) return;
  pollfd ended{fd, POLLIN, 0};
  ::poll(&ended, 1, static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(most).count()));
  ::close(fd);
}

/// An unnamed file with the line, at its start: a pipe could block when the command does not read.
int line_file(const std::string& line) {
  const int fd = ::memfd_create("aiot-exec", MFD_CLOEXEC);
  if (fd < 0) return -1;
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written <= 0) {
      ::close(fd);
      return -1;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  ::lseek(fd, 0, SEEK_SET);
  return fd;
}

/// posix_spawn's two attribute objects, freed with their scope.
struct SpawnSetup {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
};

}  // namespace

ExecQueue::ExecQueue(EventLoop& loop, std::string command) : loop_(loop), command_(std::move(command)) {
  sigchld_ = loop_.watch_signal(SIGCHLD, [this] { reap(); });
}

ExecQueue::~ExecQueue() {
  if (child_ == 0) return;
  ::kill(-child_, SIGTERM);
  wait_for_end(child_, kPatience);
  // Also what the command has started and left behind.
  ::kill(-child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

std::size_t ExecQueue::drop_waiting() {
  const std::size_t count = waiting_.size();
  waiting_.clear();
  return count;
}

void ExecQueue::submit(const nlohmann::ordered_json& result) {
  if (waiting_.size() >= kMaxWaiting) {
    waiting_.pop_front();
    ++dropped_;
  }
  waiting_.push_back(json_line(result));
  next();
}

void ExecQueue::next() {
  while (child_ == 0 && !waiting_.empty()) {
    const std::string result = std::move(waiting_.front());
    waiting_.pop_front();
    if (!start(result)) log::error("--exec: cannot run /bin/sh: {}", std::strerror(errno));
  }
  if (dropped_ > 0 && waiting_.size() < kMaxWaiting && on_dropped_) on_dropped_(std::exchange(dropped_, 0));
  if (idle() && on_idle_) on_idle_();
}

std::vector<std::string> ExecQueue::child_environment(const nlohmann::ordered_json& result) {
  std::vector<std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto name = text.substr(0, text.find('='));
    bool withheld = name == kSecret;
    for (const char* field : kFields) withheld = withheld || name == variable_name(field);
    if (!withheld) out.emplace_back(text);
  }
  for (const char* field : kFields) {
    const auto found = result.find(field);
    if (found == result.end()) continue;
    const std::string value = found->is_string() ? found->get<std::string>() : json_line(*found);
    if (value.size() <= kMaxVariable && value.find('\0') == std::string::npos) {
      out.push_back(variable_name(field) + "=" + value);
    } else if (!std::exchange(left_out_, true)) {
      log::warn(
          "--exec: a value that is longer than 100 KB or has a NUL character is not in {}; standard input "
          "has it",
          variable_name(field));
    }
  }
  return out;
}

bool ExecQueue::start(const std::string& result) {
  const int input = line_file(result + "\n");
  if (input < 0) return false;
  std::vector<std::string> environment =
      child_environment(nlohmann::ordered_json::parse(result, nullptr, false));
  std::vector<char*> pointers;
  pointers.reserve(environment.size() + 1);
  for (std::string& entry : environment) pointers.push_back(entry.data());
  pointers.push_back(nullptr);

  SpawnSetup setup;
  posix_spawn_file_actions_adddup2(&setup.actions, input, STDIN_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&setup.actions, STDERR_FILENO + 1);
  sigset_t none;
  sigset_t defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGCHLD}) sigaddset(&defaults, signal);
  posix_spawnattr_setsigmask(&setup.attributes, &none);
  posix_spawnattr_setsigdefault(&setup.attributes, &defaults);
  posix_spawnattr_setflags(&setup.attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  char shell[] = "/bin/sh";
  char option[] = "-c";
  char* arguments[] = {shell, option, command_.data(), nullptr};
  pid_t child = 0;
  const int failed =
      ::posix_spawn(&child, shell, &setup.actions, &setup.attributes, arguments, pointers.data());
  ::close(input);
  errno = failed;
  if (failed != 0) return false;
  child_ = child;
  return true;
}

void ExecQueue::reap() {
  if (child_ == 0) return;
  int status = 0;
  if (::waitpid(child_, &status, WNOHANG) != child_) return;
  child_ = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
    log::warn("--exec: the command ended with status {}", WEXITSTATUS(status));
  } else if (WIFSIGNALED(status)) {
    log::warn("--exec: the command was ended by signal {}", WTERMSIG(status));
  }
  next();
}

}  // namespace aiot::cli
