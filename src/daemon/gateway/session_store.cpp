#include "daemon/gateway/session_store.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "daemon/gateway/node_file.h"

namespace aiot::gateway {

namespace {

constexpr std::size_t kMaxPending = 8UL * 1024 * 1024;
constexpr std::size_t kShortenAt = 20'000;  ///< lines, and four times as many as the sessions need

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

std::optional<std::string> read_tail(const std::string& path, std::size_t from) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string out;
  char buffer[65536];
  ssize_t got = 0;
  while ((got = ::pread(fd, buffer, sizeof buffer, static_cast<off_t>(from + out.size()))) > 0)
    out.append(buffer, static_cast<std::size_t>(got));
  ::close(fd);
  if (got < 0) return std::nullopt;
  return out;
}

/// The same sessions in as few lines as they need, beside `path`; how many lines, 0 when it failed.
std::size_t write_short(const std::string& path, std::size_t size) {
  auto text = read_file(path);
  if (!text) return 0;
  text->resize(std::min(text->size(), size));
  const auto file = parse_session_file(*text);
  if (!file) return 0;
  std::string out = session_file_head();
  for (const auto& [client_id, session] : file->sessions) append_session(out, session);
  const auto written = replace_file(path + ".short", out);
  return written ? static_cast<std::size_t>(std::count(out.begin(), out.end(), '\n')) : 0;
}

}  // namespace

SessionStore::SessionStore(EventLoop& loop, const std::string& state_dir)
    : loop_(loop), path_(state_dir + "/sessions.jsonl") {}

SessionStore::~SessionStore() {
  flush();
  if (fd_ >= 0) ::close(fd_);
}

Result<void> SessionStore::open(bool empty) {
  const int fd =
      ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (empty ? O_TRUNC : 0), 0600);
  if (fd < 0) return errno_error("cannot write " + path_, errno);
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
  return {};
}

Result<SessionFile> SessionStore::load() {
  auto text = read_file(path_);
  if (!text) return text.error();
  auto file = parse_session_file(*text);
  if (!file) {
    const std::string aside = path_ + ".damaged";
    const bool moved = std::rename(path_.c_str(), aside.c_str()) == 0;
    log::error("the MQTT-SN sessions {} cannot be used ({}); {}, and clients connect anew", path_,
               file.error().message, moved ? "they are kept as " + aside : "they will be overwritten");
    file = SessionFile();
  }
  if (auto opened = open(file->whole == 0); !opened) return opened.error();
  if (file->whole != 0 && file->whole < text->size() &&
      ::ftruncate(fd_, static_cast<off_t>(file->whole)) != 0)
    return errno_error("cannot write " + path_, errno);
  size_ = file->whole;
  lines_ = file->lines;
  if (file->whole == 0) {
    pending_ = session_file_head();
    lines_ = 1;
    flush();
  }
  return file;
}

void SessionStore::write() {
  if (!write_all(fd_, pending_)) {
    const int error = errno;
    if (failures_.allow()) log::error("{}", errno_error("cannot write " + path_, error).message);
    // Half a line would spoil all that follows. What is too much to wait for room on the disk is lost.
    if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0 || pending_.size() > kMaxPending) pending_.clear();
    return;
  }
  size_ += pending_.size();
  pending_.clear();
  if (shortening_from_ == 0 && lines_ >= kShortenAt && lines_ >= short_lines_ * 4) shorten();
}

void SessionStore::shorten() {
  shortening_from_ = size_;
  new_lines_ = 0;
  auto lines = std::make_shared<std::size_t>(0);
  working_ = loop_.work([path = path_, size = size_, lines] { *lines = write_short(path, size); },
                        [this, lines] {
                          new_lines_ = *lines;
                          shortened();
                        });
}

void SessionStore::shortened() {
  const auto from = std::exchange(shortening_from_, 0);
  short_lines_ = lines_;  // after a failure it is tried again once it is four times as long
  // What was appended meanwhile belongs to it too; only then does it take the other's place.
  const std::string other = path_ + ".short";
  auto tail = read_tail(path_, from);
  if (new_lines_ == 0 || !tail || !append_file(other, *tail) ||
      std::rename(other.c_str(), path_.c_str()) != 0) {
    log::warn("cannot make {} shorter", path_);
    return;
  }
  if (auto opened = open(false); !opened) log::error("{}", opened.error().message);
  lines_ = new_lines_ + static_cast<std::size_t>(std::count(tail->begin(), tail->end(), '\n'));
  short_lines_ = lines_;
  const auto end = ::lseek(fd_, 0, SEEK_END);
  size_ = end < 0 ? 0 : static_cast<std::size_t>(end);
}

}  // namespace aiot::gateway
