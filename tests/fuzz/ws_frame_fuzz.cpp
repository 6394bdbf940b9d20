#include "core/ws/frame.h"
#include "fuzz.h"

namespace ws = aiot::ws;

void fuzz_one(std::string_view input) {
  for (const std::size_t limit : {std::size_t{1}, std::size_t{100}, input.size()}) {
    FUZZ_CHECK(ws::whole_frames(input, limit) <= input.size());
  }
  static_cast<void>(ws::frame_length(input));

  std::string frames;
  ws::append_frame(frames, ws::Opcode::text, input);
  FUZZ_CHECK(ws::frame_length(frames) == frames.size());
  const auto first = frames.size();
  ws::append_frame(frames, ws::Opcode::ping, input.substr(0, 125));
  FUZZ_CHECK(ws::whole_frames(frames, frames.size()) == frames.size());
  FUZZ_CHECK(ws::whole_frames(frames, frames.size() - 1) == first);
}
