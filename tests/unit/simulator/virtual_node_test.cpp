#include "daemon/simulator/virtual_node.h"

#include <catch2/catch.hpp>

#include "core/codec/link_format.h"
#include "core/codec/quantity.h"

using namespace aiot;
using namespace aiot::simulator;

namespace {

Blueprint blueprint_of(const std::vector<std::string>& names, bool confirmable = false) {
  auto made = Blueprint::make(names, confirmable);
  REQUIRE(made);
  return *std::move(made);
}

coap::Message parsed(std::string_view datagram) {
  auto message = coap::parse_message(datagram);
  REQUIRE(message);
  return *std::move(message);
}

const SocketAddress kPeer = *SocketAddress::parse("127.0.0.1:4000");

coap::Message request(std::uint8_t method, const std::vector<std::string>& path, std::uint16_t id = 1,
                      std::string payload = {}) {
  coap::Message message;
  message.code = coap::code(0, method);
  message.message_id = id;
  message.token = "tok";
  for (const auto& segment : path) message.add(coap::option::kUriPath, segment);
  message.payload = std::move(payload);
  return message;
}

coap::Message ask(VirtualNode& node, const coap::Message& message, Heard heard = Heard::request) {
  std::string reply;
  CHECK(node.receive(kPeer, coap::format_message(message), reply) == heard);
  return parsed(reply);
}

coap::Message answer_to(const coap::Message& post, std::uint8_t code, coap::Type type = coap::Type::non,
                        std::uint16_t id = 900) {
  coap::Message message;
  message.type = type;
  message.code = code;
  message.message_id = type == coap::Type::ack ? post.message_id : id;
  message.token = post.token;
  return message;
}

}  // namespace

TEST_CASE("A node says alive with its uid, and reset when it has just booted") {
  const auto blueprint = blueprint_of({"led"});
  VirtualNode node(blueprint, 12);
  const auto alive = parsed(node.make_alive(false));
  CHECK(alive.type == coap::Type::non);
  CHECK(alive.code == coap::code(0, 2));
  CHECK(alive.string_options(coap::option::kUriPath) == std::vector<std::string_view>{"alive"});
  CHECK(alive.payload == "alive:sim-12");
  CHECK(parsed(node.make_alive(true)).payload == "reset:sim-12");
}

TEST_CASE("A node posts its measurements in turn, with values that change") {
  const auto blueprint = blueprint_of({"name", "temperature", "pressure", "led"});
  VirtualNode node(blueprint, 0);
  std::vector<std::string> values;
  for (int i = 0; i < 4; ++i) {
    const auto post = parsed(node.make_post());
    CHECK(post.string_options(coap::option::kUriPath) == std::vector<std::string_view>{"server"});
    values.push_back(post.payload);
  }
  CHECK(values[0].rfind("temperature:", 0) == 0);
  CHECK(values[1].rfind("pressure:", 0) == 0);
  CHECK(values[2].rfind("temperature:", 0) == 0);
  CHECK(values[0] != values[2]);
  const auto quantity = parse_quantity(values[0].substr(values[0].find(':') + 1));
  REQUIRE(quantity);
  CHECK(quantity->unit == "°C");
}

TEST_CASE("A node without measurements posts what it has") {
  const auto blueprint = blueprint_of({"board", "led"});
  VirtualNode node(blueprint, 0);
  CHECK(parsed(node.make_post()).payload == "board:iotlab-m3");
  CHECK(parsed(node.make_post()).payload == "led:0");
}

TEST_CASE("A node lists its resources and answers a GET of each") {
  const auto blueprint = blueprint_of({"name", "temperature", "imu", "position", "led"});
  VirtualNode node(blueprint, 3);
  const auto core = ask(node, request(1, {".well-known", "core"}));
  CHECK(core.code == coap::code(2, 5));
  CHECK(core.type == coap::Type::ack);
  CHECK(core.token == "tok");
  CHECK(core.uint_option(coap::option::kContentFormat) == 40);
  const auto links = parse_link_format(core.payload);
  REQUIRE(links);
  REQUIRE(links->size() == 6);
  std::uint16_t id = 10;
  for (std::size_t i = 1; i < links->size(); ++i) {
    const auto value = ask(node, request(1, {(*links)[i].target.substr(1)}, id++));
    CHECK(value.code == coap::code(2, 5));
    CHECK_FALSE(value.payload.empty());
  }
  CHECK(ask(node, request(1, {"name"}, 30)).payload == "Simulated node 3");
  CHECK(ask(node, request(1, {"nothing"}, 31)).code == coap::code(4, 4));
  CHECK(ask(node, request(1, {}, 32)).code == coap::code(4, 4));
}

TEST_CASE("A led can be switched, and nothing else can be written") {
  const auto blueprint = blueprint_of({"name", "led"});
  VirtualNode node(blueprint, 0);
  CHECK(ask(node, request(1, {"led"}, 1)).payload == "0");
  CHECK(ask(node, request(3, {"led"}, 2, "1"), Heard::write).code == coap::code(2, 4));
  CHECK(ask(node, request(1, {"led"}, 3)).payload == "1");
  CHECK(node.value("led") == "1");
  CHECK(ask(node, request(3, {"led"}, 4, "bright")).code == coap::code(4, 0));
  CHECK(ask(node, request(3, {"led"}, 5, std::string(100, '1'))).code == coap::code(4, 13));
  CHECK(ask(node, request(3, {"name"}, 6, "x")).code == coap::code(4, 5));
  CHECK(ask(node, request(2, {"led"}, 7, "1")).code == coap::code(4, 5));
  CHECK(ask(node, request(4, {"led"}, 8)).code == coap::code(4, 5));
  CHECK(ask(node, request(3, {".well-known", "core"}, 9, "x")).code == coap::code(4, 5));
}

TEST_CASE("A duplicate gets the very same answer and acts once") {
  const auto blueprint = blueprint_of({"temperature", "led"});
  VirtualNode node(blueprint, 0);
  const auto datagram = coap::format_message(request(1, {"temperature"}, 77));
  std::string first;
  std::string second;
  CHECK(node.receive(kPeer, datagram, first) == Heard::request);
  CHECK(node.receive(kPeer, datagram, second) == Heard::duplicate);
  CHECK(first == second);
  // Another peer's same id is another request.
  CHECK(node.receive(kPeer.with_port(4001), datagram, second) == Heard::request);
}

TEST_CASE("A long list of resources leaves block by block") {
  std::vector<std::string> names;
  for (int i = 0; i < 60; ++i) names.push_back("resource-number-" + std::to_string(1000 + i));
  const auto blueprint = blueprint_of(names);
  VirtualNode node(blueprint, 0);
  std::string whole;
  for (std::uint64_t number = 0;; ++number) {
    auto message = request(1, {".well-known", "core"}, static_cast<std::uint16_t>(100 + number));
    if (number > 0) message.add_uint(coap::option::kBlock2, number << 4 | 6);
    const auto block = ask(node, message);
    REQUIRE(block.code == coap::code(2, 5));
    REQUIRE(block.uint_option(coap::option::kBlock2));
    CHECK(block.payload.size() <= 1024);
    whole += block.payload;
    if ((*block.uint_option(coap::option::kBlock2) & 8) == 0) break;
  }
  CHECK(whole == blueprint.links);
  auto beyond = request(1, {".well-known", "core"}, 500);
  beyond.add_uint(coap::option::kBlock2, 99 << 4 | 6);
  CHECK(ask(node, beyond).code == coap::code(4, 0));
}

TEST_CASE("A node refuses critical options and formats it does not know") {
  const auto blueprint = blueprint_of({"temperature"});
  VirtualNode node(blueprint, 0);
  auto odd = request(1, {"temperature"}, 1);
  odd.add(9, "x");
  CHECK(ask(node, odd).code == coap::code(4, 2));
  auto cbor = request(1, {"temperature"}, 2);
  cbor.add_uint(coap::option::kAccept, 60);
  CHECK(ask(node, cbor).code == coap::code(4, 6));
}

TEST_CASE("Answers are told apart by their token, and late ones are ignored") {
  const auto blueprint = blueprint_of({"temperature"});
  VirtualNode node(blueprint, 0);
  std::string reply;
  const auto alive = parsed(node.make_alive(false));
  const auto post = parsed(node.make_post());
  const auto hear = [&](const coap::Message& message) {
    return node.receive(kPeer, coap::format_message(message), reply);
  };
  CHECK(hear(answer_to(post, coap::code(2, 4))) == Heard::post_answer);
  CHECK(hear(answer_to(post, coap::code(2, 4))) == Heard::nothing);
  CHECK(hear(answer_to(alive, coap::code(2, 4))) == Heard::alive_answer);
  CHECK(reply.empty());
  const auto refused = parsed(node.make_post());
  CHECK(hear(answer_to(refused, coap::code(4, 4))) == Heard::post_refusal);
}

TEST_CASE("A confirmable post is repeated byte for byte until it is acknowledged") {
  const auto blueprint = blueprint_of({"temperature"}, true);
  VirtualNode node(blueprint, 0);
  std::string reply;
  const auto datagram = node.make_post();
  const auto post = parsed(datagram);
  CHECK(post.type == coap::Type::con);
  CHECK(node.unacknowledged_post() == datagram);
  // An empty acknowledgement stops that; a separate response follows and is acknowledged.
  coap::Message empty;
  empty.type = coap::Type::ack;
  empty.message_id = post.message_id;
  CHECK(node.receive(kPeer, coap::format_message(empty), reply) == Heard::post_accepted);
  CHECK(node.unacknowledged_post().empty());
  CHECK(node.awaits_post());
  const auto separate = answer_to(post, coap::code(2, 4), coap::Type::con, 4321);
  CHECK(node.receive(kPeer, coap::format_message(separate), reply) == Heard::post_answer);
  CHECK(parsed(reply).type == coap::Type::ack);
  CHECK(parsed(reply).message_id == 4321);
  CHECK_FALSE(node.awaits_post());
}

TEST_CASE("Garbage and pings are rejected and do no harm") {
  const auto blueprint = blueprint_of({"led"});
  VirtualNode node(blueprint, 0);
  std::string reply;
  CHECK(node.receive(kPeer, "", reply) == Heard::malformed);
  CHECK(reply.empty());
  CHECK(node.receive(kPeer, std::string("\x4F\x01\x12\x34", 4), reply) == Heard::malformed);
  CHECK(parsed(reply).type == coap::Type::rst);
  CHECK(parsed(reply).message_id == 0x1234);
  CHECK(node.receive(kPeer, std::string("\x40\x00\x12\x35", 4), reply) == Heard::nothing);
  CHECK(parsed(reply).type == coap::Type::rst);
  CHECK(ask(node, request(1, {"led"}, 5)).payload == "0");
}
