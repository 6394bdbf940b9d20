#include "cli/doctor_machine.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "cli/config.h"
#include "cli/defaults.h"
#include "core/base/secret_file.h"
#include "core/base/text.h"
#include "core/loop/event_loop.h"
#include "core/loop/links.h"
#include "core/loop/udp_socket.h"

namespace aiot::cli {

namespace {

constexpr unsigned long long kMiB = 1024ULL * 1024;
constexpr unsigned long long kLeastFree = 64 * kMiB;  ///< below this a journal and a database cannot work
constexpr unsigned long long kLowFree = 512 * kMiB;   ///< below this, and 5 %, it is time to act
constexpr unsigned long long kLowFiles = 1000;
/// 2026-01-01: a clock before it has never been set.
constexpr WallTime kEarliest{std::chrono::seconds(1767225600)};

bool names_secret(const ConfigEntry& entry) {
  const std::string& key = entry.key;
  return key.ends_with("password-file") || key.ends_with("token-file") || key.ends_with("tokens-file") ||
         key == "key-file" || key.ends_with("psk-file") || key == "users-file" || key == "key" ||
         key.ends_with("-key");
}

std::string interface_name(unsigned index) {
  char name[IF_NAMESIZE] = {};
  return if_indextoname(index, name) != nullptr ? name : fmt::format("{}", index);
}

bool is_missing(const std::string& path) {
  return ::access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/// Says so, and that the file is not known to be fine.
bool not_readable(const std::string& path, const std::string& from, const Report& report) {
  report(Finding::warning("secrets", fmt::format("{} cannot be read by this user{}", path, from),
                          "run aiot doctor as the user that runs the daemon, or as root"));
  return false;
}

/// True when the file is fine; what is wrong goes to `report`.
bool check_secret(const std::string& path, const std::string& origin, const Report& report) {
  const std::string from = origin.empty() ? "" : fmt::format(" ({})", origin);
  auto safety = secret_safety(path);
  if (!safety && safety.error().native == EACCES) return not_readable(path, from, report);
  if (!safety) {
    report(Finding::failed("secrets", make_error(Errc::internal, safety.error().message + from),
                           "make the file, or change the option that names it"));
    return false;
  }
  const auto parts = [](const std::string& sentence) {
    const std::size_t colon = sentence.rfind(": ");
    return std::pair(sentence.substr(0, colon), sentence.substr(colon + 2));
  };
  if (!safety->refusal.empty()) {
    const auto [what, remedy] = parts(safety->refusal);
    report(Finding::failed("secrets", make_error(Errc::usage, what + from), remedy));
    return false;
  }
  if (!safety->warning.empty()) {
    const auto [what, remedy] = parts(safety->warning);
    report(Finding::warning("secrets", what + from, remedy));
    return false;
  }
  return ::access(path.c_str(), R_OK) == 0 || not_readable(path, from, report);
}

/// The folder, or the nearest above it that this user can see.
std::string existing_part(std::string folder) {
  while (::access(folder.c_str(), F_OK) != 0) {
    const std::size_t slash = folder.rfind('/');
    if (slash == std::string::npos) return ".";
    folder.resize(std::max<std::size_t>(slash, 1));
  }
  return folder;
}

/// That nothing can be written into the folder. One that is somebody else's is no matter of this user's,
/// unless he named it.
std::optional<Finding> folder_finding(const std::string& folder, bool named) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return std::nullopt;
  const auto failed = [&](const char* what, const char* remedy) {
    return Finding::failed("disk", make_error(Errc::internal, fmt::format("{} {}", folder, what)), remedy);
  };
  if (!S_ISDIR(status.st_mode)) return failed("is no directory", "name another: --state-dir");
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return std::nullopt;
  if (errno == EROFS) {
    return failed("cannot be written: its file system is read-only",
                  "dmesg says whether errors made it so; mount -o remount,rw, or another --state-dir");
  }
  if (!named && status.st_uid != ::geteuid()) return std::nullopt;
  return failed("cannot be written by this user",
                "chown or chmod it for the user that runs the daemon, or run aiot doctor as that user");
}

}  // namespace

void check_configuration(const Config& config, const Report& report) {
  bool good = true;
  for (const Error& error : check_config(config)) {
    good = false;
    report(Finding::failed("configuration", error, "correct or remove that line; aiot.toml(5)"));
  }
  if (!good) return;
  report(config.files().empty()
             ? Finding::ok("configuration", "there is no configuration file; everything has its default")
             : Finding::ok("configuration", fmt::format("{}", fmt::join(config.files(), ", "))));
}

void check_clock(WallTime now, const Report& report) {
  if (now < kEarliest) {
    report(Finding::failed(
        "clock", make_error(Errc::internal, fmt::format("the clock is not set: it says {}", format_utc(now))),
        "set it (timedatectl set-time), or let it be kept: timedatectl set-ntp true"));
    return;
  }
  struct timex state {};
  // Reading needs no privilege; where even that is forbidden, nobody can tell.
  const int kept = ::adjtimex(&state);
  if (kept == TIME_ERROR || (kept >= 0 && (state.status & STA_UNSYNC) != 0)) {
    report(Finding::warning("clock", "nobody keeps this machine's clock right, as far as the kernel knows",
                            "timedatectl set-ntp true, or install chrony"));
    return;
  }
  report(Finding::ok("clock", kept < 0 ? "set" : "set, and kept"));
}

void check_secrets(const Config& config, const std::vector<std::string>& files, const Report& report) {
  std::set<std::string> seen;
  std::size_t good = 0;
  for (const ConfigEntry& entry : config.entries()) {
    if (!names_secret(entry)) continue;
    // What these commands work on, they make.
    const bool makes_it = entry.table == "keys" || entry.table == "users" || entry.table == "tokens";
    for (const std::string& path : entry.values) {
      if (makes_it && is_missing(path)) continue;
      if (seen.insert(path).second && check_secret(path, entry.origin, report)) ++good;
    }
  }
  for (const std::string& path : files) {
    if (path.empty() || is_missing(path) || !seen.insert(path).second) continue;
    if (check_secret(path, {}, report)) ++good;
  }
  if (seen.empty()) {
    report(Finding::skipped("secrets", "no key or token file is in use"));
  } else if (good == seen.size()) {
    report(Finding::ok("secrets", fmt::format("{}: closed to others", fmt::join(seen, ", "))));
  }
}

Finding disk_finding(const std::string& folder, unsigned long long free, unsigned long long total,
                     unsigned long long files) {
  const std::string room =
      fmt::format("{} MiB of {} MiB are free below {}", free / kMiB, total / kMiB, folder);
  const char* remedy = "free some, or bound what is kept: --retention-size, --journal-size";
  if (free < kLeastFree) return Finding::failed("disk", make_error(Errc::internal, room), remedy);
  if (free < kLowFree && free < total / 20) return Finding::warning("disk", room, remedy);
  if (files < kLowFiles) {
    return Finding::warning("disk",
                            fmt::format("the file system of {} takes only {} more files", folder, files),
                            "remove files there");
  }
  return Finding::ok("disk", room);
}

void check_disk(const std::string& named, const std::vector<std::string>& usual, const Report& report) {
  std::vector<std::string> folders = usual;
  const bool is_named = !named.empty() && named != "off";
  // One that is not there yet is made where there is room, or not.
  if (is_named) folders.insert(folders.begin(), existing_part(named));
  bool any = false;
  std::set<std::string> seen;
  for (const std::string& folder : folders) {
    struct statvfs disk {};
    if (folder.empty() || !seen.insert(folder).second || ::statvfs(folder.c_str(), &disk) != 0) continue;
    const bool first = !std::exchange(any, true);
    if (const auto bad = folder_finding(folder, is_named && first)) {
      report(*bad);
      continue;
    }
    // File systems without a table of files (btrfs) say 0 of 0.
    const auto files = disk.f_files == 0 ? std::numeric_limits<unsigned long long>::max() : disk.f_favail;
    report(disk_finding(folder, static_cast<unsigned long long>(disk.f_bavail) * disk.f_frsize,
                        static_cast<unsigned long long>(disk.f_blocks) * disk.f_frsize, files));
  }
  if (!any) report(Finding::skipped("disk", "no daemon has kept state here yet"));
}

void check_multicast(EventLoop& loop, const Report& report) {
  const char* remedy = "nodes are found by their address alone; ip link set LINK multicast on";
  auto links = network_links({});
  std::set<std::string> names;
  if (links) {
    for (const NetworkLink& link : *links) {
      if (link.multicast && !link.loopback) names.insert(interface_name(link.index));
    }
  }
  if (names.empty()) {
    report(Finding::warning("multicast", "no link of this machine can multicast", remedy));
    return;
  }
  std::vector<std::string> groups;
  for (const auto& [group, any] :
       {std::pair{"224.0.1.187:0", "0.0.0.0:0"}, std::pair{"[ff02::fd]:0", "[::]:0"}}) {
    auto socket =
        UdpSocket::bind(loop, *SocketAddress::parse(any), [](const SocketAddress&, std::string_view) {});
    if (socket && (*socket)->join(*SocketAddress::parse(group), {}))
      groups.push_back(SocketAddress::parse(group)->host());
  }
  if (groups.empty()) {
    report(Finding::warning(
        "multicast", fmt::format("CoAP's groups cannot be joined on {}", fmt::join(names, ", ")), remedy));
    return;
  }
  report(
      Finding::ok("multicast", fmt::format("{} on {}", fmt::join(groups, " and "), fmt::join(names, ", "))));
}

}  // namespace aiot::cli
