#include "core/loop/uv_handles.h"

#include <uv.h>

namespace aiot::uv {

int last_watched(void* loop) {
  int last = -1;
  // In the order in which the handles were made.
  uv_walk(
      static_cast<uv_loop_t*>(loop),
      [](uv_handle_t* handle, void* found) noexcept {
        uv_os_fd_t descriptor = -1;
        if (handle->type == UV_POLL && uv_fileno(handle, &descriptor) == 0)
          *static_cast<int*>(found) = descriptor;
      },
      &last);
  return last;
}

}  // namespace aiot::uv
