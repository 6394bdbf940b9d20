#include "daemon/broker/broadcast_log.h"

#include <algorithm>
#include <utility>

#include "core/ws/http_server.h"

namespace aiot::broker {
namespace {

/// The longest head of a server's frame (RFC 6455 section 5.2).
constexpr std::size_t kMaxFrameHead = 10;

}  // namespace

BroadcastLog::Chunk::~Chunk() {
  auto rest = std::move(next);
  while (rest && rest.use_count() == 1) rest = std::exchange(rest->next, nullptr);
}

std::size_t BroadcastLog::Chunk::frames_until(std::size_t offset) const {
  const auto after = std::upper_bound(marks.begin(), marks.end(), offset,
                                      [](std::size_t at, const Mark& mark) { return at < mark.end; });
  return static_cast<std::size_t>(after - marks.begin());
}

Tally BroadcastLog::Chunk::tally_until(std::size_t offset) const {
  const std::size_t frames = frames_until(offset);
  if (frames == 0) return before;
  return before + Tally{marks[frames - 1].updates, marks[frames - 1].events};
}

BroadcastLog::BroadcastLog(std::size_t chunk_bytes)
    : chunk_bytes_(chunk_bytes), tail_(std::make_shared<Chunk>()) {}

void BroadcastLog::append(std::string_view payload, Tally holds) {
  if (tail_->bytes.capacity() - tail_->bytes.size() < payload.size() + kMaxFrameHead) {
    auto chunk = std::make_shared<Chunk>();
    chunk->bytes.reserve(std::max(chunk_bytes_, payload.size() + kMaxFrameHead));
    chunk->begin = position();
    chunk->before = tally();
    tail_->next = chunk;
    tail_ = std::move(chunk);
  }
  ws::append_text_frame(tail_->bytes, payload);
  const Mark last = tail_->marks.empty() ? Mark{} : tail_->marks.back();
  tail_->marks.push_back({static_cast<std::uint32_t>(tail_->bytes.size()),
                          static_cast<std::uint32_t>(last.updates + holds.updates),
                          static_cast<std::uint32_t>(last.events + holds.events)});
}

BroadcastLog::Cursor BroadcastLog::end() const {
  Cursor cursor;
  cursor.chunk_ = tail_;
  cursor.offset_ = tail_->bytes.size();
  return cursor;
}

std::string_view BroadcastLog::Cursor::peek() {
  if (!chunk_) return {};
  while (offset_ == chunk_->bytes.size() && chunk_->next) {
    chunk_ = std::shared_ptr<Chunk>(chunk_->next);
    offset_ = 0;
  }
  return std::string_view(chunk_->bytes).substr(offset_);
}

std::string_view BroadcastLog::Cursor::peek(std::size_t frames) {
  const std::string_view all = peek();
  if (all.empty() || frames == 0) return {};
  const std::size_t first = chunk_->frames_until(offset_);
  if (chunk_->marks.size() - first <= frames) return all;
  return all.substr(0, chunk_->marks[first + frames - 1].end - offset_);
}

std::size_t BroadcastLog::Cursor::frames_in(std::size_t bytes) const {
  return chunk_ ? chunk_->frames_until(offset_ + bytes) - chunk_->frames_until(offset_) : 0;
}

}  // namespace aiot::broker
