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

BroadcastLog::BroadcastLog() : tail_(std::make_shared<Chunk>()) { tail_->bytes.reserve(kChunkBytes); }

void BroadcastLog::append(std::string_view payload, bool is_update) {
  if (tail_->bytes.capacity() - tail_->bytes.size() < payload.size() + kMaxFrameHead) {
    auto chunk = std::make_shared<Chunk>();
    chunk->bytes.reserve(std::max(kChunkBytes, payload.size() + kMaxFrameHead));
    chunk->begin = position();
    chunk->updates_end = tail_->updates_end;
    tail_->next = chunk;
    tail_ = std::move(chunk);
  }
  ws::append_text_frame(tail_->bytes, payload);
  if (is_update) ++tail_->updates_end;
}

BroadcastLog::Cursor BroadcastLog::end() const {
  Cursor cursor;
  cursor.chunk_ = tail_;
  cursor.offset_ = tail_->bytes.size();
  cursor.updates_ = tail_->updates_end;
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

void BroadcastLog::Cursor::consume(std::size_t bytes) {
  offset_ += bytes;
  // Frames are counted where a chunk was passed whole; in between the count waits.
  if (offset_ == chunk_->bytes.size()) updates_ = chunk_->updates_end;
}

}  // namespace aiot::broker
