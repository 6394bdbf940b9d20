#include "core/ws/frame_writer.h"

#include "core/ws/frame.h"

namespace aiot::ws {

std::string& FrameWriter::queue() {
  // What has been sent is cut off in big steps, so that a long queue costs one move a byte and not many.
  if (head_ > kWriteSize && head_ > queue_.size() / 2) {
    queue_.erase(0, head_);
    head_ = 0;
  }
  return queue_;
}

void FrameWriter::clear() {
  queue_ = {};
  head_ = 0;
}

void FrameWriter::drop_front(std::size_t bytes) {
  head_ += bytes;
  if (head_ < queue_.size()) return;
  head_ = 0;
  if (queue_.capacity() > 2 * kWriteSize) {
    queue_ = {};
  } else {
    queue_.clear();
  }
}

FrameWriter::Progress FrameWriter::flush(lws* wsi, FrameSource* source) {
  std::size_t written = 0;
  while (true) {
    if (lws_partial_buffered(wsi) != 0) return Progress::blocked;
    if (written >= kTurnShare) return Progress::more;
    const bool own = queued() > 0;
    std::string_view bytes;
    if (own) {
      bytes = std::string_view(queue_).substr(head_);
    } else if (source != nullptr) {
      bytes = source->peek();
    }
    if (bytes.empty()) return Progress::idle;
    bytes = bytes.substr(0, whole_frames(bytes, kWriteSize));
    // LWS_WRITE_HTTP is libwebsockets' word for "as it is": it does not touch the buffer.
    auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
    if (lws_write(wsi, data, bytes.size(), LWS_WRITE_HTTP) < 0) return Progress::failed;
    written += bytes.size();
    if (own) {
      drop_front(bytes.size());
    } else {
      source->consume(bytes.size());
    }
  }
}

}  // namespace aiot::ws
