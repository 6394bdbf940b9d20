#include "core/mqttsn/packet.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::mqttsn;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

}  // namespace

TEST_CASE("packets are what section 5.4 draws") {
  const std::pair<std::string, Packet> cases[] = {
      {bytes({5, 0x00, 7, 0x03, 0x84}), {.type = Type::advertise, .duration = 900, .gateway_id = 7}},
      {bytes({3, 0x01, 1}), {.type = Type::searchgw, .radius = 1}},
      {bytes({3, 0x02, 7}), {.type = Type::gwinfo, .gateway_id = 7}},
      {bytes({8, 0x04, 0x0C, 1, 0, 30, 'a', 'b'}),
       {.type = Type::connect, .flags = {.will = true, .clean_session = true}, .duration = 30, .data = "ab"}},
      {bytes({3, 0x05, 1}), {.type = Type::connack, .return_code = ReturnCode::congestion}},
      {bytes({2, 0x06}), {.type = Type::willtopicreq}},
      {bytes({4, 0x07, 0x30, 'w'}),
       {.type = Type::willtopic, .flags = {.qos = 1, .retain = true}, .data = "w"}},
      {bytes({2, 0x07}), {.type = Type::willtopic}},
      {bytes({2, 0x08}), {.type = Type::willmsgreq}},
      {bytes({3, 0x09, 'm'}), {.type = Type::willmsg, .data = "m"}},
      {bytes({7, 0x0A, 0, 0, 0, 9, 't'}), {.type = Type::register_, .message_id = 9, .data = "t"}},
      {bytes({7, 0x0B, 1, 2, 0, 9, 0}), {.type = Type::regack, .topic_id = 0x102, .message_id = 9}},
      {bytes({8, 0x0C, 0xE2, 'a', 'b', 0, 0, 'x'}),
       {.type = Type::publish,
        .flags = {.dup = true, .qos = -1, .topic_kind = TopicKind::short_name},
        .topic_id = short_topic_id('a', 'b'),
        .data = "x"}},
      {bytes({7, 0x0D, 0, 1, 0, 2, 2}),
       {.type = Type::puback, .topic_id = 1, .message_id = 2, .return_code = ReturnCode::invalid_topic_id}},
      {bytes({4, 0x0E, 0, 2}), {.type = Type::pubcomp, .message_id = 2}},
      {bytes({4, 0x0F, 0, 2}), {.type = Type::pubrec, .message_id = 2}},
      {bytes({4, 0x10, 0, 2}), {.type = Type::pubrel, .message_id = 2}},
      {bytes({7, 0x12, 0x40, 0, 3, 'a', '#'}),
       {.type = Type::subscribe, .flags = {.qos = 2}, .message_id = 3, .data = "a#"}},
      {bytes({7, 0x12, 0x21, 0, 3, 0, 5}),
       {.type = Type::subscribe,
        .flags = {.qos = 1, .topic_kind = TopicKind::predefined},
        .topic_id = 5,
        .message_id = 3}},
      {bytes({8, 0x13, 0x20, 0, 5, 0, 3, 0}),
       {.type = Type::suback, .flags = {.qos = 1}, .topic_id = 5, .message_id = 3}},
      {bytes({6, 0x14, 0, 0, 3, 'a'}), {.type = Type::unsubscribe, .message_id = 3, .data = "a"}},
      {bytes({4, 0x15, 0, 3}), {.type = Type::unsuback, .message_id = 3}},
      {bytes({2, 0x16}), {.type = Type::pingreq}},
      {bytes({3, 0x16, 'c'}), {.type = Type::pingreq, .data = "c"}},
      {bytes({2, 0x17}), {.type = Type::pingresp}},
      {bytes({2, 0x18}), {.type = Type::disconnect}},
      {bytes({4, 0x18, 0, 60}), {.type = Type::disconnect, .duration = 60, .has_duration = true}},
      {bytes({4, 0x1A, 0x10, 'w'}), {.type = Type::willtopicupd, .flags = {.retain = true}, .data = "w"}},
      {bytes({3, 0x1B, 3}), {.type = Type::willtopicresp, .return_code = ReturnCode::not_supported}},
      {bytes({3, 0x1C, 'm'}), {.type = Type::willmsgupd, .data = "m"}},
      {bytes({3, 0x1D, 0}), {.type = Type::willmsgresp}},
  };
  for (const auto& [wire, packet] : cases) {
    CAPTURE(to_string(packet.type));
    CHECK(format_packet(packet) == wire);
    const auto parsed = parse_packet(wire);
    REQUIRE(parsed);
    CHECK(*parsed == packet);
    // Every packet that is cut short, or longer than it says, is refused.
    for (std::size_t size = 0; size < wire.size(); ++size) CHECK_FALSE(parse_packet(wire.substr(0, size)));
    CHECK_FALSE(parse_packet(wire + "x"));
  }
}

TEST_CASE("a packet beyond 255 bytes has a length of three") {
  const Packet packet{.type = Type::publish, .topic_id = 1, .data = std::string(249, 'x')};
  const auto wire = format_packet(packet);
  CHECK(wire.substr(0, 4) == bytes({1, 0x01, 0x02, 0x0C}));
  CHECK(wire.size() == 0x102);
  CHECK(*parse_packet(wire) == packet);
  CHECK(format_packet({.type = Type::publish, .data = std::string(248, 'x')}).front() == '\xFF');
}

TEST_CASE("malformed packets are refused with their name and what is wrong") {
  const auto refused = [](const std::string& wire) {
    const auto parsed = parse_packet(wire);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::peer_failed);
    return parsed.error().message;
  };
  CHECK(refused("") == "MQTT-SN: the length is not that of the datagram (0 bytes)");
  CHECK(refused(bytes({1, 0})) == "MQTT-SN: the length is not that of the datagram (2 bytes)");
  CHECK(refused(bytes({2, 0x03})) == "MQTT-SN: packet type 0x03 is not known");
  CHECK(refused(bytes({6, 0x04, 0, 2, 0, 1})) == "MQTT-SN: CONNECT: a protocol id other than 1");
  CHECK(refused(bytes({7, 0x0C, 3, 0, 1, 0, 1})) == "MQTT-SN: PUBLISH: a reserved kind of topic");
  CHECK(refused(bytes({3, 0x0E, 1})) == "MQTT-SN: PUBCOMP: cut short");
  CHECK(refused(bytes({3, 0x17, 1})) == "MQTT-SN: PINGRESP: 1 bytes too many");
  CHECK(refused(bytes({6, 0x0A, 0, 1, 0, 1})) == "MQTT-SN: REGISTER: cut short");
}

TEST_CASE("a forwarder's packet carries another and where it came from") {
  const auto wire = format_forwarded(2, bytes({0x0A, 0x0B}), bytes({2, 0x16}));
  CHECK(wire == bytes({5, 0xFE, 2, 0x0A, 0x0B, 2, 0x16}));
  REQUIRE(is_forwarded(wire));
  const auto parsed = parse_forwarded(wire);
  REQUIRE(parsed);
  CHECK(parsed->radius == 2);
  CHECK(parsed->node == bytes({0x0A, 0x0B}));
  CHECK(parsed->packet == bytes({2, 0x16}));
  CHECK_FALSE(is_forwarded(bytes({2, 0x16})));
  CHECK_FALSE(parse_forwarded(bytes({5, 0xFE, 2, 0x0A, 0x0B})));  // with nothing in it
  CHECK_FALSE(parse_forwarded(bytes({9, 0xFE, 2, 0x0A})));
  CHECK_FALSE(parse_forwarded(bytes({2, 0xFE})));
}
