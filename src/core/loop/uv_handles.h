#pragma once

namespace aiot::uv {

/// The descriptor that was watched last on `loop` (EventLoop::native()), by anybody; -1 when none is.
[[nodiscard]] int last_watched(void* loop);

}  // namespace aiot::uv
