#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

/// The packets of MQTT-SN 1.2. Pure.
namespace aiot::mqttsn {

/// Where clients that SEARCHGW and gateways that ADVERTISE meet.
inline constexpr const char* kGroup4 = "225.1.1.1";
inline constexpr const char* kGroup6 = "ff02::1";

/// Section 5.2.2.
enum class Type : std::uint8_t {
  advertise = 0x00,
  searchgw = 0x01,
  gwinfo = 0x02,
  connect = 0x04,
  connack = 0x05,
  willtopicreq = 0x06,
  willtopic = 0x07,
  willmsgreq = 0x08,
  willmsg = 0x09,
  register_ = 0x0A,
  regack = 0x0B,
  publish = 0x0C,
  puback = 0x0D,
  pubcomp = 0x0E,
  pubrec = 0x0F,
  pubrel = 0x10,
  subscribe = 0x12,
  suback = 0x13,
  unsubscribe = 0x14,
  unsuback = 0x15,
  pingreq = 0x16,
  pingresp = 0x17,
  disconnect = 0x18,
  willtopicupd = 0x1A,
  willtopicresp = 0x1B,
  willmsgupd = 0x1C,
  willmsgresp = 0x1D,
};
/// "REGISTER".
[[nodiscard]] std::string_view to_string(Type type);

/// Section 5.3.10.
enum class ReturnCode : std::uint8_t {
  accepted = 0,
  congestion = 1,
  invalid_topic_id = 2,
  not_supported = 3
};
/// "rejected: congestion".
[[nodiscard]] std::string_view to_string(ReturnCode code);

/// How a packet names its topic (section 5.3.11). In SUBSCRIBE and UNSUBSCRIBE `normal` is a name.
enum class TopicKind : std::uint8_t { normal = 0, predefined = 1, short_name = 2 };

/// Section 5.3.4; qos -1 is a PUBLISH without a connection.
struct Flags {
  bool dup = false;
  int qos = 0;
  bool retain = false;
  bool will = false;
  bool clean_session = false;
  TopicKind topic_kind = TopicKind::normal;
  friend bool operator==(const Flags&, const Flags&) = default;
};

/// One packet; which members count is said by its type (section 5.4), the others stay as they are.
struct Packet {
  Type type = Type::pingreq;
  Flags flags;
  std::uint16_t topic_id = 0;  ///< a short name's two characters, first in the upper byte
  std::uint16_t message_id = 0;
  std::uint16_t duration = 0;  ///< seconds
  ReturnCode return_code = ReturnCode::accepted;
  std::uint8_t gateway_id = 0;
  std::uint8_t radius = 0;
  bool has_duration = false;  ///< of DISCONNECT: the client goes to sleep
  /// ClientId, TopicName, WillTopic, WillMsg, GwAdd or Data.
  std::string data;
  friend bool operator==(const Packet&, const Packet&) = default;
};

/// The largest packet that is read or written: what fits a UDP datagram.
inline constexpr std::size_t kMaxPacket = 65'507;
/// Of a PUBLISH, with room for its head and a forwarder's.
inline constexpr std::size_t kMaxPayload = 65'000;

/// Errc::peer_failed names the packet and what is wrong with it: a length that is not the datagram's, an
/// unknown type, a reserved topic kind, a protocol id other than 1, a missing field.
[[nodiscard]] Result<Packet> parse_packet(std::string_view datagram);
/// The datagram; `data` that makes it longer than kMaxPacket is cut off by nobody: keep to the bound.
[[nodiscard]] std::string format_packet(const Packet& packet);

/// A packet that a forwarder passes on for a node behind it (section 5.5).
struct Forwarded {
  std::uint8_t radius = 0;  ///< of the control byte
  std::string_view node;    ///< WirelessNodeId
  std::string_view packet;  ///< the MQTT-SN packet, still to be parsed
};
[[nodiscard]] bool is_forwarded(std::string_view datagram);
/// Errc::peer_failed when the length does not fit or there is nothing in it.
[[nodiscard]] Result<Forwarded> parse_forwarded(std::string_view datagram);
[[nodiscard]] std::string format_forwarded(std::uint8_t radius, std::string_view node,
                                           std::string_view packet);

/// The id of a short topic name, which is its two characters.
[[nodiscard]] constexpr std::uint16_t short_topic_id(char first, char second) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(first) << 8 |
                                    static_cast<unsigned char>(second));
}
[[nodiscard]] std::string short_topic_name(std::uint16_t id);

}  // namespace aiot::mqttsn
