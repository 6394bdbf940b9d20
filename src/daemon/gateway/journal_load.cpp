#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <utility>

#include "daemon/gateway/journal.h"
#include "daemon/gateway/journal_reader.h"
#include "daemon/gateway/node_file.h"

/// What a journal does with what is on disk already: at its start, and when it reads back.
namespace aiot::gateway {

namespace {

/// Serial numbers of the segments in a folder, sorted.
Result<std::vector<std::uint64_t>> list_segments(const std::string& folder) {
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return errno_error("cannot read the journal's folder " + folder, errno);
  std::vector<std::uint64_t> out;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    std::uint64_t serial = 0;
    const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), serial);
    if (code == std::errc() && std::string_view(end) == ".log") out.push_back(serial);
  }
  ::closedir(dir);
  std::sort(out.begin(), out.end());
  return out;
}

/// What the process has too much open for now is tried again after this.
constexpr Duration kReadAgain = std::chrono::seconds(1);

}  // namespace

void Journal::read_again() {
  reading_ = false;
  if (callbacks_.readable) callbacks_.readable();
}

struct Journal::ReadJob {
  std::string stream;
  SegmentRead read;
};

void Journal::set_aside(const std::string& path, std::string_view why) {
  const std::string aside = path + ".damaged";
  const bool moved = std::rename(path.c_str(), aside.c_str()) == 0;
  notice("journal_damaged", fmt::format("the journal's segment {} cannot be used ({}); it {}", path, why,
                                        moved ? "is kept as " + aside : "stays where it is"));
}

/// Counts what the segment holds, and cuts a torn end off.
void Journal::scan(Segment& segment, bool show) {
  const auto visit = [&](const Record& record) {
    if (!show || !record.origin || !callbacks_.seen) return;
    const auto item = wire::parse_item(record.item);
    if (!item) return;
    if (const auto* update = std::get_if<Update>(&*item)) callbacks_.seen(*record.origin, *update);
  };
  const auto found = scan_segment(segment.path, visit);
  if (!found) {
    set_aside(segment.path, found.error().message);
    segment.path.clear();
    return;
  }
  segment.end = segment.first + found->records;
  segment.bytes = found->size;
  if (found->beyond == 0) return;
  const bool cut = ::truncate(segment.path.c_str(), static_cast<off_t>(found->size)) == 0;
  notice("journal_damaged",
         fmt::format("the journal's segment {} ends in {} bytes that are {}; they were {}", segment.path,
                     found->beyond, found->damaged ? "damaged" : "half a record",
                     cut ? "cut off" : "passed over"));
}

Result<void> Journal::load() {
  if (::mkdir(options_.folder.c_str(), 0700) != 0 && errno != EEXIST)
    return errno_error("cannot make the journal's folder " + options_.folder, errno);
  auto serials = list_segments(options_.folder);
  if (!serials) return serials.error();
  if (auto text = read_file(options_.folder + "/clock"); text) boots_ = parse_boot_times(*text);

  for (const auto serial : *serials) {
    serial_ = std::max(serial_, serial);
    Segment segment;
    segment.path = fmt::format("{}/{:012}.log", options_.folder, serial);
    struct stat status {};
    if (::stat(segment.path.c_str(), &status) == 0 && status.st_size == 0) {
      ::unlink(segment.path.c_str());  // begun, and then killed
      continue;
    }
    auto head = read_segment_head(segment.path);
    if (!head) {
      set_aside(segment.path, head.error().message);
      continue;
    }
    segment.first = segment.end = head->head.first;
    segment.head_size = head->size;
    segment.bytes = static_cast<std::uint64_t>(status.st_size);
    segment.boot = head->head.boot;
    segment.made = head->head.made;
    if (streams_.empty() || streams_.back().id != head->head.stream) {
      StreamState& stream = streams_.emplace_back();
      stream.id = head->head.stream;
      stream.earlier = head->head.earlier;
    }
    streams_.back().segments.push_back(std::move(segment));
  }

  // A segment ends where the next of its stream begins; only the last must be read, and the newest for what
  // their messages were.
  std::size_t newest = 0;
  std::uint64_t newest_bytes = 0;
  for (auto stream = streams_.rbegin(); stream != streams_.rend(); ++stream) {
    for (auto segment = stream->segments.rbegin(); segment != stream->segments.rend(); ++segment) {
      newest_bytes += segment->bytes;
      if (newest >= kLeastKept && (newest >= kMostKept || newest_bytes > kept_bytes())) break;
      ++newest;
    }
  }
  std::size_t newer = 0;
  for (const auto& stream : streams_) newer += stream.segments.size();
  for (auto& stream : streams_) {
    for (std::size_t i = 0; i < stream.segments.size(); ++i, --newer) {
      const bool last = i + 1 == stream.segments.size();
      if (last || newer <= newest) scan(stream.segments[i], newer <= newest);
      if (!last) stream.segments[i].end = std::max(stream.segments[i].first, stream.segments[i + 1].first);
    }
    std::erase_if(stream.segments, [&](const Segment& segment) {
      const bool empty = segment.end == segment.first;
      if (empty && !segment.path.empty()) ::unlink(segment.path.c_str());
      return empty || segment.path.empty();
    });
    for (const auto& segment : stream.segments) bytes_ += segment.bytes;
    stream.end = stream.segments.empty() ? 1 : stream.segments.back().end;
  }
  return {};
}

void Journal::read_from_disk(StreamState& stream, std::uint64_t from, std::size_t most) {
  const auto segment = std::find_if(stream.segments.begin(), stream.segments.end(),
                                    [&](const Segment& each) { return from < each.end; });
  if (segment == stream.segments.end()) return;
  auto job = std::make_shared<ReadJob>();
  job->stream = stream.id;
  SegmentRead& read = job->read;
  read.path = segment->path;
  read.boot = segment->boot;
  const bool goes_on = place_.path == segment->path && place_.number <= from;
  read.offset = goes_on ? place_.offset : segment->head_size;
  read.number = goes_on ? place_.number : segment->first;
  read.wanted = from;
  read.end = segment->end;
  read.most = most;
  read.boots = boots_;
  read.now = loop_.wall_now();
  reading_ = true;
  read_work_ = loop_.work([job] { read_segment(job->read); }, [this, job] { read_done(*job); });
}

void Journal::read_done(ReadJob& job) {
  SegmentRead& read = job.read;
  if (read.passing) {
    if (limiter_.allow()) log::warn("the journal's segment {}: {}; trying again", read.path, read.failure);
    read_timer_->start(kReadAgain);
    return;
  }
  reading_ = false;
  if (read.failure.empty()) {
    place_ = {read.path, read.number, read.offset};
    ready_stream_ = job.stream;
    ready_ = std::move(read.chunk);
  } else if (StreamState* stream = find(job.stream); stream != nullptr) {
    // What cannot be read is lost from there on; what follows in other segments is not.
    place_ = {};
    for (std::size_t i = 0; i < stream->segments.size(); ++i) {
      Segment& segment = stream->segments[i];
      if (segment.path != read.path) continue;
      const auto lost = segment.end - std::max(read.number, segment.first);
      notice("journal_damaged",
             fmt::format(
                 "the journal's segment {} cannot be read beyond number {} ({}); up to {} updates are lost",
                 read.path, read.number, read.failure, lost));
      const bool writing = stream == &streams_.back() && i + 1 == stream->segments.size();
      if (writing) {
        if (const int error = new_segment(); error != 0) {
          failed(error);
          break;
        }
      }
      set_aside(stream->segments[i].path, read.failure);
      drop(*stream, i, counters_.dropped_damaged);
      break;
    }
  }
  if (callbacks_.readable) callbacks_.readable();
}

}  // namespace aiot::gateway
