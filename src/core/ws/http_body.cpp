#include <algorithm>

#include "core/ws/http_head.h"

namespace aiot::ws {
namespace {

constexpr std::size_t kMaxChunkLine = 256;       // size and extensions
constexpr std::size_t kMaxOverhead = 16 * 1024;  // trailers together
/// What chunk framing may cost beside the bytes it carries: a peer that sends a byte a chunk is cut off.
constexpr std::uint64_t kMaxChunkedWaste = 64 * 1024;

/// The hexadecimal size before an extension, -1 for nonsense.
std::int64_t parse_chunk_size(std::string_view line) {
  line = line.substr(0, line.find(';'));
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  if (line.empty() || line.size() > 15) return -1;
  std::int64_t size = 0;
  for (const char c : line) {
    int digit = 0;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      return -1;
    }
    size = size * 16 + digit;
  }
  return size;
}

}  // namespace

BodyDecoder::BodyDecoder(BodyFraming framing, std::size_t max_body)
    : framing_(framing), max_body_(max_body), status_(Status::more), left_(framing.length) {
  if (framing.kind == BodyFraming::Kind::none) status_ = Status::done;
  if (framing.kind == BodyFraming::Kind::length && framing.length > max_body) status_ = Status::too_large;
}

BodyDecoder::Status BodyDecoder::feed(std::string_view& bytes) {
  if (status_ != Status::more) return status_;
  switch (framing_.kind) {
    case BodyFraming::Kind::none: break;
    case BodyFraming::Kind::chunked: status_ = feed_chunked(bytes); break;
    case BodyFraming::Kind::until_close:
      left_ = bytes.size();
      status_ = add(bytes);
      break;
    case BodyFraming::Kind::length:
      status_ = add(bytes);
      if (status_ == Status::more && left_ == 0) status_ = Status::done;
      break;
  }
  return status_;
}

BodyDecoder::Status BodyDecoder::end() const {
  if (status_ != Status::more) return status_;
  return framing_.kind == BodyFraming::Kind::until_close ? Status::done : Status::malformed;
}

BodyDecoder::Status BodyDecoder::add(std::string_view& bytes) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  if (body_.size() + count > max_body_) return Status::too_large;
  body_.append(bytes.substr(0, count));
  bytes.remove_prefix(count);
  left_ -= count;
  return Status::more;
}

bool BodyDecoder::read_line(std::string_view& bytes, std::string& line) {
  const auto end = bytes.find('\n');
  line.append(bytes.substr(0, end));
  bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  return end != std::string_view::npos;
}

BodyDecoder::Status BodyDecoder::feed_chunked(std::string_view& bytes) {
  while (!bytes.empty()) {
    if (part_ == Part::data) {
      if (const auto status = add(bytes); status != Status::more) return status;
      if (left_ == 0) part_ = Part::data_end;
      continue;
    }
    const auto before = bytes.size();
    const bool whole = read_line(bytes, line_);
    overhead_ += before - bytes.size();
    if (line_.size() > kMaxChunkLine && part_ != Part::trailer) return Status::malformed;
    if (overhead_ > kMaxChunkedWaste + body_.size() || line_.size() > kMaxOverhead) return Status::malformed;
    if (!whole) return Status::more;
    // After the limits: they hold however it arrives.
    if (line_.empty() || line_.back() != '\r') return Status::malformed;
    line_.pop_back();
    if (part_ == Part::size) {
      const auto size = parse_chunk_size(line_);
      if (size < 0) return Status::malformed;
      if (static_cast<std::uint64_t>(size) > max_body_) return Status::too_large;
      left_ = static_cast<std::uint64_t>(size);
      part_ = size == 0 ? Part::trailer : Part::data;
    } else if (part_ == Part::data_end) {
      if (!line_.empty()) return Status::malformed;
      part_ = Part::size;
    } else if (line_.empty()) {
      return Status::done;
    }
    line_.clear();
  }
  return Status::more;
}

}  // namespace aiot::ws
