#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// WebSocket frames as bytes (RFC 6455 section 5): pure.
namespace aiot::ws {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// What our pings carry, so that the pong is not empty: libwebsockets 4.1.6 tells nobody of an empty one.
inline constexpr std::string_view kPingPayload = "aiot";

/// Appends one unmasked frame, as servers send them.
void append_frame(std::string& out, Opcode opcode, std::string_view payload, bool fin = true);
/// Appends one frame masked with `key`, as clients must.
void append_masked_frame(std::string& out, Opcode opcode, std::string_view payload, std::uint32_t key,
                         bool fin = true);
/// The length of the frame at the front, 0 when not even its header is whole.
[[nodiscard]] std::uint64_t frame_length(std::string_view bytes);
/// The longest front of `bytes`, made of whole frames, that is at most `limit` long; one frame when the first
/// is longer. A pong or close of the library's own may go out after any write, so each must end with a frame.
[[nodiscard]] std::size_t whole_frames(std::string_view bytes, std::size_t limit);

}  // namespace aiot::ws
