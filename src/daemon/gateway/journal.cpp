#include "daemon/gateway/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/base/random.h"
#include "daemon/gateway/journal_reader.h"
#include "daemon/gateway/node_file.h"

namespace aiot::gateway {

namespace {

constexpr Duration kRetry = std::chrono::seconds(1), kLookAfter = std::chrono::minutes(1);
constexpr std::size_t kMaxEarlier = wire::kMaxEarlier;

/// The disk has no room now; it may have some later.
bool is_full(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

WallTime time_of(const wire::Item& item) {
  return std::visit([](const auto& each) { return each.time; }, item);
}

void clear_time(wire::Item& item) {
  std::visit([](auto& each) { each.time = {}; }, item);
}

std::string read_boot_id() {
  std::string out(64, '\0');
  const int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  const auto size = fd < 0 ? -1 : ::read(fd, out.data(), out.size());
  if (fd >= 0) ::close(fd);
  out.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out.empty() ? random_uuid() : out;
}

}  // namespace

struct Journal::File {
  int fd = -1;
  explicit File(int opened) : fd(opened) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd >= 0) ::close(fd);
  }
};

Journal::Journal(EventLoop& loop, JournalOptions options)
    : loop_(loop),
      options_(std::move(options)),
      boot_(read_boot_id()),
      sync_timer_(loop.make_timer([this] { sync(); })),
      age_timer_(loop.make_timer([this] {
        hold_bounds();
        age_timer_->start(kLookAfter);
      })),
      read_timer_(loop.make_timer([this] { read_again(); })) {
  // The bound must leave room to drop the oldest.
  options_.segment_bytes =
      std::min(options_.segment_bytes, std::max<std::uint64_t>(options_.max_bytes / 4, 4096));
  streams_.emplace_back();
}

Journal::~Journal() {
  closed_.dismiss();
  for (auto& each : waiting_) each.dismiss();
  for (auto& each : served_) each.dismiss();
}

Result<void> Journal::open() {
  streams_.clear();
  if (on_disk())
    if (auto loaded = load(); !loaded) return loaded;
  StreamState current;
  current.id = random_uuid();
  for (auto stream = streams_.rbegin(); stream != streams_.rend(); ++stream)
    current.earlier.push_back(stream->id);
  if (!streams_.empty()) {
    const auto& before = streams_.back().earlier;
    for (const auto& id : before)
      if (std::find(current.earlier.begin(), current.earlier.end(), id) == current.earlier.end())
        current.earlier.push_back(id);
  }
  if (current.earlier.size() > kMaxEarlier) current.earlier.resize(kMaxEarlier);
  // Streams that hold nothing are remembered by name alone.
  std::erase_if(streams_, [](const StreamState& stream) { return stream.segments.empty(); });
  streams_.push_back(std::move(current));
  tail_.start(1);
  note_clock(loop_.wall_now());
  if (!on_disk()) return {};
  const int error = new_segment();
  if (error != 0 && !is_full(error))
    return errno_error("cannot write to the journal in " + options_.folder, error);
  for (const auto& stream : streams_) counters_.restored += left(stream);
  if (error != 0) failed(error);  // what is there is sent all the same
  hold_bounds();
  age_timer_->start(kLookAfter);
  return {};
}

void Journal::note_clock(WallTime now) {
  if (clock_known_ || !is_set(now)) return;
  clock_known_ = true;
  const auto uptime =
      std::chrono::duration_cast<std::chrono::milliseconds>(loop_.now().time_since_epoch()).count();
  std::erase_if(boots_.entries, [this](const auto& entry) { return entry.boot == boot_; });
  boots_.entries.push_back({boot_, static_cast<std::uint64_t>(std::max<std::int64_t>(uptime, 0)), now});
  if (!on_disk()) return;
  if (auto written = replace_file(options_.folder + "/clock", format_boot_times(boots_)); !written)
    log::warn("the journal's clock: {}", written.error().message);
}

int Journal::new_segment() {
  SegmentHead head{streams_.back().id, tail_.end() - pending_items_, streams_.back().earlier, boot_,
                   loop_.wall_now()};
  const std::string text = format_segment_head(head);
  Segment segment{fmt::format("{}/{:012}.log", options_.folder, serial_ + 1),
                  head.first,
                  head.first,
                  text.size(),
                  text.size(),
                  boot_,
                  head.made};
  const auto make = [&] { return ::open(segment.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); };
  int fd = make();
  // An operator who cleans up may take the folder along.
  if (fd < 0 && errno == ENOENT && ::mkdir(options_.folder.c_str(), 0700) == 0) fd = make();
  if (fd < 0) return errno;
  auto file = std::make_shared<File>(fd);
  if (const auto written = ::pwrite(fd, text.data(), text.size(), 0);
      written != static_cast<ssize_t>(text.size())) {
    const int error = written < 0 ? errno : ENOSPC;
    ::unlink(segment.path.c_str());
    return error;
  }
  ++serial_;
  if (file_) to_sync_.push_back(std::exchange(file_, nullptr));
  file_ = std::move(file);
  bytes_ += segment.bytes;
  streams_.back().segments.push_back(std::move(segment));
  new_names_ = dirty_ = true;
  sync_soon();
  return 0;
}

template <class Append>
bool Journal::add(WallTime time, Append append) {
  ++counters_.appended;
  if (error_ != 0 && loop_.now() < retry_at_) {
    ++counters_.dropped_disk;
    ++lost_meanwhile_;
    refused_ = true;
    return false;
  }
  std::optional<std::uint64_t> uptime;
  if (!is_set(time)) {
    uptime = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(loop_.now().time_since_epoch()).count());
  } else if (!clock_known_) {
    note_clock(time);
  }
  append(tail_.open());
  const auto item = tail_.close(uptime.value_or(JournalTail::kStamped));
  if (on_disk()) {
    append_record(pending_, item, origin_, uptime);
    ++pending_items_;
    return true;
  }
  streams_.back().end = tail_.end();
  if (tail_.bytes() > options_.memory_bytes) {
    const auto before = left(streams_.back());
    tail_.trim(options_.memory_bytes, tail_.end() - 1);
    counters_.dropped_full += before - left(streams_.back());
  }
  return true;
}

bool Journal::append(const wire::UpdateView& update) {
  return add(update.time, [&](std::string& out) {
    if (is_set(update.time)) return wire::append_update(out, update);
    wire::UpdateView bare = update;
    bare.time = {};
    wire::append_update(out, bare);
  });
}

bool Journal::append(const wire::Item& item) {
  return add(time_of(item), [&](std::string& out) {
    if (is_set(time_of(item))) return wire::append_item(out, item);
    wire::Item bare = item;
    clear_time(bare);
    wire::append_item(out, bare);
  });
}

void Journal::write() {
  if (pending_.empty()) return;
  if (!file_) {
    if (const int error = new_segment(); error != 0) return failed(error);
  }
  StreamState& stream = streams_.back();
  Segment& segment = stream.segments.back();
  std::size_t done = 0;
  while (done < pending_.size()) {
    const auto put = ::pwrite(file_->fd, pending_.data() + done, pending_.size() - done,
                              static_cast<off_t>(segment.bytes + done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return failed(put < 0 ? errno : ENOSPC);
    done += static_cast<std::size_t>(put);
  }
  segment.bytes += pending_.size();
  bytes_ += pending_.size();
  segment.end += std::exchange(pending_items_, 0);
  stream.end = segment.end;
  pending_.clear();
  dirty_ = true;
  sync_soon();
  if (error_ != 0) {
    error_ = 0;
    notice("disk_recovered", fmt::format("the journal in {} takes updates again; {} were refused meanwhile",
                                         options_.folder, std::exchange(lost_meanwhile_, 0)));
  }
  tail_.trim(options_.memory_bytes, stream.end);
  if (segment.bytes < options_.segment_bytes) return;
  if (const int error = new_segment(); error != 0) {
    failed(error);
  } else {
    hold_bounds();
  }
}

/// What was not written is as if it had never come: its nodes are told so, and its numbers are used again.
void Journal::refuse_pending() {
  tail_.pop(pending_items_);
  counters_.dropped_disk += pending_items_;
  lost_meanwhile_ += pending_items_;
  if (pending_items_ > 0) refused_ = true;
  pending_items_ = 0;
  pending_.clear();
}

void Journal::failed(int error) {
  if (file_ && !streams_.back().segments.empty() &&
      ::ftruncate(file_->fd, static_cast<off_t>(streams_.back().segments.back().bytes)) != 0) {
    // The next write begins at the same place.
  }
  const bool first = error_ == 0;
  error_ = error;
  retry_at_ = loop_.now() + kRetry;
  refuse_pending();
  if (first) {
    notice("disk_full",
           fmt::format("the journal in {} takes nothing ({}): nodes' updates are refused, and only their "
                       "latest values are passed on",
                       options_.folder, std::strerror(error)));
  }
}

void Journal::notice(const std::string& type, const std::string& message) {
  log::warn("{}", message);
  if (callbacks_.notice) callbacks_.notice(type, message);
}

bool Journal::stored() {
  write();
  origin_ = nullptr;
  if (refused_) return false;
  return !on_disk() || options_.sync > Duration(0) || (!dirty_ && !syncing_);
}

void Journal::when_stored(Completion<> done) {
  if (!refused_ && on_disk() && options_.sync == Duration(0)) {
    waiting_.push_back(std::move(done));
    sync_soon();
    return;
  }
  Result<void> result;
  if (refused_) result = make_error(Errc::internal, "this gateway's disk is full; try again later");
  loop_.post([done = std::move(done), result]() mutable { done(result); });
}

void Journal::sync_soon() {
  if (!syncing_ && !sync_timer_->armed()) sync_timer_->start(options_.sync);
}

void Journal::sync() {
  if (syncing_) return;
  struct Job {
    std::vector<std::shared_ptr<File>> files;
    std::vector<std::string> remove;
    std::string folder;
    int error = 0;
  };
  auto job = std::make_shared<Job>();
  job->files = std::exchange(to_sync_, {});
  if (dirty_ && file_) job->files.push_back(file_);
  job->remove = std::exchange(to_remove_, {});
  if (std::exchange(new_names_, false)) job->folder = options_.folder;
  served_ = std::exchange(waiting_, {});
  dirty_ = false;
  syncing_ = true;
  sync_work_ = loop_.work(
      [job] {
        for (const auto& file : job->files)
          if (::fdatasync(file->fd) != 0) job->error = errno;
        if (!job->folder.empty()) {
          const File folder(::open(job->folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
          if (folder.fd >= 0 && ::fsync(folder.fd) != 0) job->error = errno;
        }
        for (const auto& path : job->remove) ::unlink(path.c_str());
      },
      [this, job] { synced(job->error); });
}

void Journal::synced(int error) {
  syncing_ = false;
  ++counters_.syncs;
  Result<void> result;
  if (error != 0) {
    failed(error);
    result = errno_error("the journal cannot be synced", error);
  }
  for (auto& done : std::exchange(served_, {})) done(result);
  if (dirty_ || !waiting_.empty() || !to_remove_.empty()) {
    sync_timer_->start(closed_ ? Duration(0) : options_.sync);
  } else if (closed_) {
    closed_(Result<>());
  }
}

void Journal::close(Completion<> done) {
  write();
  age_timer_->stop();
  closed_ = std::move(done);
  if (syncing_) return;
  sync_timer_->start(Duration(0));
}

}  // namespace aiot::gateway
