#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "core/mqttsn/packet.h"

/// What the targets of MQTT-SN's state machines read from their input: bytes that say what happens next.
namespace aiot::mqttsn {

class FuzzInput {
 public:
  explicit FuzzInput(std::string_view input) : left_(input) {}
  [[nodiscard]] bool empty() const { return left_.empty(); }
  /// The next byte; 0 at the end.
  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const auto out = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    return out;
  }
  /// Up to 23 bytes, their number first.
  std::string_view some() {
    const auto size = std::size_t{byte()} % 24;
    const auto out = left_.substr(0, size);
    left_.remove_prefix(out.size());
    return out;
  }
  /// A packet of any type with flags and a topic id, and the byte that its flags come from.
  std::pair<Packet, std::uint8_t> packet() {
    Packet out;
    out.type = static_cast<Type>(byte() % 0x1E);
    const auto flags = byte();
    out.flags = {(flags & 1) != 0,  (flags >> 1) % 4 - 1, (flags & 8) != 0,
                 (flags & 16) != 0, (flags & 32) != 0,    static_cast<TopicKind>(flags / 64 % 3)};
    out.topic_id = byte() % 8;
    return {std::move(out), flags};
  }

 private:
  std::string_view left_;
};

}  // namespace aiot::mqttsn
