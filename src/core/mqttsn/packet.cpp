#include "core/mqttsn/packet.h"

#include <fmt/core.h>

#include <array>
#include <optional>

namespace aiot::mqttsn {

namespace {

constexpr std::uint8_t kEncapsulated = 0xFE;
constexpr std::uint8_t kProtocolId = 0x01;

/// The fields of a packet in their order (section 5.4).
enum class Field : std::uint8_t {
  end,
  flags,
  protocol,
  duration,
  optional_duration,
  gateway_id,
  radius,
  topic_id,
  topic,  ///< by the flags: two bytes of an id, or a name to the end
  message_id,
  return_code,
  data,           ///< to the end, may be empty
  required_data,  ///< to the end, at least a byte
  will_topic,     ///< flags and a name, or nothing at all: no will any more
};

struct Layout {
  Type type;
  std::string_view name;
  std::array<Field, 5> fields;
};

using enum Field;
constexpr Layout kLayouts[] = {
    {Type::advertise, "ADVERTISE", {gateway_id, duration}},
    {Type::searchgw, "SEARCHGW", {radius}},
    {Type::gwinfo, "GWINFO", {gateway_id, data}},
    {Type::connect, "CONNECT", {flags, protocol, duration, data}},
    {Type::connack, "CONNACK", {return_code}},
    {Type::willtopicreq, "WILLTOPICREQ", {}},
    {Type::willtopic, "WILLTOPIC", {will_topic}},
    {Type::willmsgreq, "WILLMSGREQ", {}},
    {Type::willmsg, "WILLMSG", {data}},
    {Type::register_, "REGISTER", {topic_id, message_id, required_data}},
    {Type::regack, "REGACK", {topic_id, message_id, return_code}},
    {Type::publish, "PUBLISH", {flags, topic_id, message_id, data}},
    {Type::puback, "PUBACK", {topic_id, message_id, return_code}},
    {Type::pubcomp, "PUBCOMP", {message_id}},
    {Type::pubrec, "PUBREC", {message_id}},
    {Type::pubrel, "PUBREL", {message_id}},
    {Type::subscribe, "SUBSCRIBE", {flags, message_id, topic}},
    {Type::suback, "SUBACK", {flags, topic_id, message_id, return_code}},
    {Type::unsubscribe, "UNSUBSCRIBE", {flags, message_id, topic}},
    {Type::unsuback, "UNSUBACK", {message_id}},
    {Type::pingreq, "PINGREQ", {data}},
    {Type::pingresp, "PINGRESP", {}},
    {Type::disconnect, "DISCONNECT", {optional_duration}},
    {Type::willtopicupd, "WILLTOPICUPD", {will_topic}},
    {Type::willtopicresp, "WILLTOPICRESP", {return_code}},
    {Type::willmsgupd, "WILLMSGUPD", {data}},
    {Type::willmsgresp, "WILLMSGRESP", {return_code}},
};

const Layout* layout_of(std::uint8_t type) {
  for (const auto& layout : kLayouts)
    if (static_cast<std::uint8_t>(layout.type) == type) return &layout;
  return nullptr;
}

std::uint8_t to_byte(const Flags& flags) {
  const unsigned qos = flags.qos < 0 ? 3U : static_cast<unsigned>(flags.qos) & 3U;
  return static_cast<std::uint8_t>((flags.dup ? 0x80U : 0U) | qos << 5 | (flags.retain ? 0x10U : 0U) |
                                   (flags.will ? 0x08U : 0U) | (flags.clean_session ? 0x04U : 0U) |
                                   static_cast<unsigned>(flags.topic_kind));
}

Flags to_flags(std::uint8_t byte) {
  const int qos = (byte >> 5) & 3;
  return {(byte & 0x80U) != 0, qos == 3 ? -1 : qos, (byte & 0x10U) != 0,
          (byte & 0x08U) != 0, (byte & 0x04U) != 0, static_cast<TopicKind>(byte & 3U)};
}

/// Takes bytes from the front; once one was missing, all is zero and `ok` false.
struct Reader {
  std::string_view rest;
  bool ok = true;

  std::uint8_t byte() {
    if (rest.empty()) {
      ok = false;
      return 0;
    }
    const auto out = static_cast<std::uint8_t>(rest.front());
    rest.remove_prefix(1);
    return out;
  }
  std::uint16_t word() {
    const unsigned high = byte();
    return static_cast<std::uint16_t>(high << 8 | byte());
  }
};

void put_word(std::string& out, unsigned word) {
  out += static_cast<char>(word >> 8);
  out += static_cast<char>(word);
}

/// What stands before the type: one byte, or 0x01 and two (section 5.2.1).
void put_length(std::string& out, std::size_t rest) {
  if (rest + 1 <= 0xFF) {
    out += static_cast<char>(rest + 1);
  } else {
    out += '\x01';
    put_word(out, static_cast<unsigned>(rest + 3));
  }
}

/// The content after the length field, or nothing when the length is not the datagram's.
std::optional<std::string_view> body_of(std::string_view datagram) {
  Reader reader{datagram};
  std::size_t length = reader.byte();
  if (length == 1) length = reader.word();
  if (!reader.ok || length != datagram.size() || reader.rest.empty()) return std::nullopt;
  return reader.rest;
}

/// Why the field cannot be read; empty when it was.
std::string_view read_field(Field field, Reader& in, Packet& packet) {
  switch (field) {
    case end: break;
    case flags:
      packet.flags = to_flags(in.byte());
      if (static_cast<unsigned>(packet.flags.topic_kind) == 3) return "a reserved kind of topic";
      break;
    case protocol:
      if (in.byte() != kProtocolId && in.ok) return "a protocol id other than 1";
      break;
    case optional_duration:
      packet.has_duration = !in.rest.empty();
      if (packet.has_duration) packet.duration = in.word();
      break;
    case duration: packet.duration = in.word(); break;
    case gateway_id: packet.gateway_id = in.byte(); break;
    case radius: packet.radius = in.byte(); break;
    case topic_id: packet.topic_id = in.word(); break;
    case message_id: packet.message_id = in.word(); break;
    case return_code: packet.return_code = static_cast<ReturnCode>(in.byte()); break;
    case will_topic:
      if (in.rest.empty()) break;
      if (const auto why = read_field(flags, in, packet); !why.empty()) return why;
      return read_field(required_data, in, packet);
    case topic:
      // A short name is its two characters, and so is an id: both are read as one.
      if (packet.flags.topic_kind != TopicKind::normal) {
        packet.topic_id = in.word();
        break;
      }
      [[fallthrough]];
    case required_data:
      if (in.rest.empty()) in.ok = false;
      [[fallthrough]];
    case data:
      packet.data = in.rest;
      in.rest = {};
      break;
  }
  return in.ok ? std::string_view() : "cut short";
}

void write_field(Field field, std::string& out, const Packet& packet) {
  switch (field) {
    case end: break;
    case flags: out += static_cast<char>(to_byte(packet.flags)); break;
    case protocol: out += static_cast<char>(kProtocolId); break;
    case optional_duration:
      if (packet.has_duration) put_word(out, packet.duration);
      break;
    case duration: put_word(out, packet.duration); break;
    case gateway_id: out += static_cast<char>(packet.gateway_id); break;
    case radius: out += static_cast<char>(packet.radius); break;
    case topic_id: put_word(out, packet.topic_id); break;
    case message_id: put_word(out, packet.message_id); break;
    case return_code: out += static_cast<char>(packet.return_code); break;
    case will_topic:
      if (packet.data.empty()) break;
      write_field(flags, out, packet);
      out += packet.data;
      break;
    case topic:
      if (packet.flags.topic_kind != TopicKind::normal) {
        put_word(out, packet.topic_id);
        break;
      }
      [[fallthrough]];
    case required_data:
    case data: out += packet.data; break;
  }
}

}  // namespace

std::string_view to_string(Type type) {
  const auto* layout = layout_of(static_cast<std::uint8_t>(type));
  return layout == nullptr ? "a reserved type" : layout->name;
}

std::string_view to_string(ReturnCode code) {
  switch (code) {
    case ReturnCode::accepted: return "accepted";
    case ReturnCode::congestion: return "rejected: congestion";
    case ReturnCode::invalid_topic_id: return "rejected: invalid topic id";
    case ReturnCode::not_supported: return "rejected: not supported";
  }
  return "rejected: reserved return code";
}

Result<Packet> parse_packet(std::string_view datagram) {
  const auto body = body_of(datagram);
  if (!body) {
    return make_error(
        Errc::peer_failed,
        fmt::format("MQTT-SN: the length is not that of the datagram ({} bytes)", datagram.size()));
  }
  Reader in{*body};
  const auto type = in.byte();
  const auto* layout = layout_of(type);
  if (layout == nullptr) {
    return make_error(Errc::peer_failed, fmt::format("MQTT-SN: packet type 0x{:02x} is not known", type));
  }
  Packet packet;
  packet.type = layout->type;
  for (const auto field : layout->fields) {
    if (const auto why = read_field(field, in, packet); !why.empty())
      return make_error(Errc::peer_failed, fmt::format("MQTT-SN: {}: {}", layout->name, why));
  }
  if (!in.rest.empty()) {
    return make_error(Errc::peer_failed,
                      fmt::format("MQTT-SN: {}: {} bytes too many", layout->name, in.rest.size()));
  }
  return packet;
}

std::string format_packet(const Packet& packet) {
  std::string body(1, static_cast<char>(packet.type));
  if (const auto* layout = layout_of(static_cast<std::uint8_t>(packet.type)); layout != nullptr)
    for (const auto field : layout->fields) write_field(field, body, packet);
  std::string out;
  out.reserve(body.size() + 3);
  put_length(out, body.size());
  return out += body;
}

bool is_forwarded(std::string_view datagram) {
  return datagram.size() >= 2 && static_cast<std::uint8_t>(datagram[1]) == kEncapsulated &&
         datagram[0] != '\x01';
}

Result<Forwarded> parse_forwarded(std::string_view datagram) {
  Reader in{datagram};
  const std::size_t length = in.byte();
  in.byte();  // the type: see is_forwarded()
  const auto control = in.byte();
  if (!in.ok || length < 3 || length >= datagram.size())
    return make_error(Errc::peer_failed, "MQTT-SN: an encapsulated packet is cut short");
  return Forwarded{static_cast<std::uint8_t>(control & 3U), datagram.substr(3, length - 3),
                   datagram.substr(length)};
}

std::string format_forwarded(std::uint8_t radius, std::string_view node, std::string_view packet) {
  std::string out;
  out += static_cast<char>(3 + node.size());
  out += static_cast<char>(kEncapsulated);
  out += static_cast<char>(radius & 3U);
  out += node;
  return out += packet;
}

std::string short_topic_name(std::uint16_t id) { return {static_cast<char>(id >> 8), static_cast<char>(id)}; }

}  // namespace aiot::mqttsn
