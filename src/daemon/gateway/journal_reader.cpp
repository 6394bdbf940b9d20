#include "daemon/gateway/journal_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace aiot::gateway {

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kChunkBytes = 128 * 1024;

class Reading {
 public:
  explicit Reading(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool open() const { return fd_ >= 0; }
  [[nodiscard]] std::uint64_t size() const {
    struct stat status {};
    return ::fstat(fd_, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  }
  /// Up to `most` bytes from `offset`; false with errno on failure.
  bool read(std::string& out, std::uint64_t offset, std::size_t most) const {
    out.resize(most);
    std::size_t done = 0;
    while (done < most) {
      const auto got = ::pread(fd_, out.data() + done, most - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return false;
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    out.resize(done);
    return true;
  }

 private:
  int fd_;
};

/// Takes records from `reader` into the chunk; false when more text is needed, or none will help.
bool take(SegmentRead& read, RecordReader& reader, RecordReader::Status& status) {
  Record record;
  while (read.number < read.end) {
    status = reader.next(record);
    if (status != RecordReader::Status::record) return false;
    const auto number = read.number++;
    if (number < read.wanted) continue;
    if (read.chunk.count++ > 0) read.chunk.items += ',';
    if (record.uptime_ms) {
      const auto time = read.boots.time_of(read.boot, *record.uptime_ms);
      append_stamped(read.chunk.items, record.item, time.value_or(read.now), !time);
    } else {
      read.chunk.items += record.item;
    }
    if (read.chunk.count >= read.most || read.chunk.items.size() >= kChunkBytes) break;
  }
  return true;
}

}  // namespace

void read_segment(SegmentRead& read) {
  const Reading file(read.path);
  if (!file.open()) {
    read.passing = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
    read.failure = std::strerror(errno);
    return;
  }
  read.chunk = {read.wanted, 0, {}};
  std::string text;
  for (std::size_t most = kReadBytes;;) {
    if (!file.read(text, read.offset, most)) {
      read.failure = std::strerror(errno);
      return;
    }
    RecordReader reader(text);
    auto status = RecordReader::Status::record;
    const bool done = take(read, reader, status);
    read.offset += reader.position();
    if (done || read.chunk.count > 0) return;
    if (status == RecordReader::Status::damaged || text.size() < most) {
      read.failure = status == RecordReader::Status::damaged ? "a record is damaged" : "it is cut";
      return;
    }
    if (reader.position() == 0) most *= 2;  // one record larger than the buffer
  }
}

Result<ParsedHead> read_segment_head(const std::string& path) {
  const Reading file(path);
  std::string text;
  if (!file.open() || !file.read(text, 0, kMaxSegmentHead)) return errno_error("cannot read " + path, errno);
  return parse_segment_head(text);
}

Result<SegmentScan> scan_segment(const std::string& path, const std::function<void(const Record&)>& visit) {
  const Reading file(path);
  std::string text;
  if (!file.open() || !file.read(text, 0, file.size())) return errno_error("cannot read " + path, errno);
  auto head = parse_segment_head(text);
  if (!head) return head.error();
  SegmentScan out;
  out.head = std::move(*head);
  RecordReader reader(std::string_view(text).substr(out.head.size));
  Record record;
  auto status = reader.next(record);
  for (; status == RecordReader::Status::record; status = reader.next(record)) {
    ++out.records;
    visit(record);
  }
  out.size = out.head.size + reader.position();
  out.beyond = text.size() - out.size;
  out.damaged = status == RecordReader::Status::damaged;
  return out;
}

}  // namespace aiot::gateway
