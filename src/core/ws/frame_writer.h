#pragma once

#include <libwebsockets.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "core/ws/http_server.h"

namespace aiot::ws {

/// Moves encoded frames into a WebSocket, 64 KB a write: first what is queued here, then what a source has.
/// libwebsockets never holds more than the rest of one write.
class FrameWriter {
 public:
  enum class Progress : std::uint8_t {
    idle,     ///< nothing left to write
    blocked,  ///< the socket is full; libwebsockets calls when there is room
    more,     ///< this turn's share is used up
    failed,   ///< the connection is gone
  };

  /// Where whole frames are appended for sending.
  std::string& queue();
  [[nodiscard]] std::size_t queued() const { return queue_.size() - head_; }
  void clear();

  Progress flush(lws* wsi, FrameSource* source);

  static constexpr std::size_t kWriteSize = 64 * 1024;
  /// What one connection may write in a turn: 1,000 saturated ones then share the loop.
  static constexpr std::size_t kTurnShare = 128 * 1024;

 private:
  void drop_front(std::size_t bytes);

  std::string queue_;
  std::size_t head_ = 0;
};

}  // namespace aiot::ws
