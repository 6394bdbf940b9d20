#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/gateway/journal.h"

/// What a journal holds, by stream and segment: reading it, and letting it go.
namespace aiot::gateway {

Journal::StreamState* Journal::find(const std::string& stream) {
  const auto found =
      std::find_if(streams_.begin(), streams_.end(), [&](const auto& each) { return each.id == stream; });
  return found == streams_.end() ? nullptr : &*found;
}
const Journal::StreamState* Journal::find(const std::string& stream) const {
  return const_cast<Journal*>(this)->find(stream);
}

std::uint64_t Journal::first_of(const StreamState& stream) const {
  if (!stream.segments.empty()) return stream.segments.front().first;
  return on_disk() ? stream.end : tail_.first();
}

std::uint64_t Journal::left_in(const StreamState& stream, const Segment& segment) {
  const auto from = std::max(segment.first, stream.acknowledged + 1);
  return segment.end > from ? segment.end - from : 0;
}

std::uint64_t Journal::left(const StreamState& stream) const {
  if (!on_disk()) {
    const auto from = std::max(tail_.first(), stream.acknowledged + 1);
    return stream.end > from ? stream.end - from : 0;
  }
  std::uint64_t out = 0;
  for (const auto& segment : stream.segments) out += left_in(stream, segment);
  return out;
}

Journal::Stream Journal::oldest() const {
  for (const auto& stream : streams_) {
    const bool current = &stream == &streams_.back();
    if (current || left(stream) > 0)
      return {stream.id, stream.earlier, first_of(stream), stream.end, current};
  }
  return {};
}

std::uint64_t Journal::end(const std::string& stream) const {
  const StreamState* found = find(stream);
  return found != nullptr ? found->end : 0;
}

void Journal::acknowledged(const std::string& stream, std::uint64_t sequence) {
  StreamState* found = find(stream);
  if (found == nullptr) return;
  sequence = std::min(sequence, found->end - 1);
  if (sequence <= found->acknowledged) return;
  const auto before = left(*found);
  found->acknowledged = sequence;
  counters_.acknowledged += before - left(*found);
  if (found == &streams_.back()) tail_.trim(0, sequence + 1);
  retire();
}

void Journal::drop(StreamState& stream, std::size_t number, std::uint64_t& counter) {
  const Segment& segment = stream.segments[number];
  counter += left_in(stream, segment);
  bytes_ -= std::min(bytes_, segment.bytes);
  stream.segments.erase(stream.segments.begin() + static_cast<std::ptrdiff_t>(number));
}

void Journal::retire() {
  std::size_t segments = 0;
  for (const auto& stream : streams_) segments += stream.segments.size();
  std::uint64_t none = 0;
  for (auto& stream : streams_) {
    const bool current = &stream == &streams_.back();
    while ((segments > kMostKept || (segments > kLeastKept && bytes_ > kept_bytes())) &&
           stream.segments.size() > (current ? 1U : 0U) &&
           stream.segments.front().end <= stream.acknowledged + 1) {
      to_remove_.push_back(stream.segments.front().path);
      drop(stream, 0, none);
      --segments;
    }
    // Order matters: what is newer than something unacknowledged is kept, too.
    if (!stream.segments.empty() && left(stream) > 0) break;
  }
  while (streams_.size() > 1 && streams_.front().segments.empty()) streams_.pop_front();
  if (!to_remove_.empty()) sync_soon();
}

void Journal::hold_bounds() {
  const WallTime now = loop_.wall_now();
  const auto too_old = [&](const Segment& segment) {
    return is_set(now) && is_set(segment.made) && now - segment.made > options_.max_age;
  };
  const auto before = counters_.dropped_full;
  while (true) {
    StreamState& oldest = streams_.front();
    const bool current = streams_.size() == 1;
    if (oldest.segments.size() <= (current ? 1U : 0U)) {
      if (current) break;
      streams_.pop_front();
      continue;
    }
    if (bytes_ <= options_.max_bytes && !too_old(oldest.segments.front())) break;
    to_remove_.push_back(oldest.segments.front().path);
    drop(oldest, 0, counters_.dropped_full);
  }
  if (!to_remove_.empty()) sync_soon();
  if (counters_.dropped_full != before) {
    notice(
        "journal_overflow",
        fmt::format(
            "the journal in {} is full: {} updates that the broker does not have were dropped, oldest first",
            options_.folder, counters_.dropped_full - before));
  }
}

JournalCounters Journal::counters() const {
  JournalCounters out = counters_;
  out.unacknowledged = pending_items_;
  for (const auto& stream : streams_) {
    out.unacknowledged += left(stream);
    out.segments += stream.segments.size();
  }
  out.bytes = bytes_;
  out.failing = error_ != 0;
  return out;
}

void Journal::stamp(std::string& out, std::string_view item, const std::string& boot,
                    std::uint64_t uptime_ms) const {
  const auto time = boots_.time_of(boot, uptime_ms);
  append_stamped(out, item, time.value_or(loop_.wall_now()), !time);
}

Chunk Journal::read(const std::string& stream, std::uint64_t& from, std::size_t most) {
  StreamState* state = find(stream);
  if (state == nullptr) return {};
  if (ready_.count > 0 && ready_stream_ == stream && ready_.first == from && ready_.count <= most)
    return std::exchange(ready_, {});
  from = std::max(from, first_of(*state));
  if (from >= state->end) return {};
  if (state == &streams_.back() && from >= tail_.first()) {
    return tail_.read(from, state->end, most,
                      [this](std::string& out, std::string_view item, std::uint64_t uptime) {
                        stamp(out, item, boot_, uptime);
                      });
  }
  const auto segment = std::find_if(state->segments.begin(), state->segments.end(),
                                    [&](const Segment& each) { return from < each.end; });
  if (segment == state->segments.end()) {
    from = state->end;
    return {};
  }
  from = std::max(from, segment->first);
  if (!reading_) read_from_disk(*state, from, most);
  return {};
}

}  // namespace aiot::gateway
