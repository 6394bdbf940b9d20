#include "daemon/wire/gateway_v1.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::wire;

namespace {

template <class T>
T round_trip(const T& message) {
  const std::string text = format_message(message);
  INFO(text);
  auto parsed = parse_message(text);
  if (!parsed) FAIL(parsed.error().message);
  REQUIRE(std::holds_alternative<T>(*parsed));
  return std::get<T>(*parsed);
}

WallTime at(std::int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); }

Update update(std::string uid, std::string resource, std::string bytes) {
  Update made;
  made.uid = std::move(uid);
  made.resource = std::move(resource);
  made.bytes = std::move(bytes);
  made.time = at(1769860800123);
  return made;
}

std::string error_of(std::string_view text) {
  const auto parsed = parse_message(text);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == Errc::rejected);
  return parsed.error().message;
}

}  // namespace

TEST_CASE("hello and welcome survive the wire") {
  const auto hello = round_trip(Hello{"paris", "site \"1\"", "s-1", {"s-0", "r"}, "aiot 0.1.0", 1, true});
  CHECK(hello.name == "paris");
  CHECK(hello.site == "site \"1\"");
  CHECK(hello.stream == "s-1");
  CHECK(hello.earlier == std::vector<std::string>{"s-0", "r"});
  CHECK(hello.journal);
  CHECK_FALSE(round_trip(Hello{"paris", "", "s", {}, "", 1}).journal);
  CHECK(hello.software == "aiot 0.1.0");
  const auto welcome = round_trip(Welcome{"aiot", 1ULL << 60, 512, true});
  CHECK(welcome.journal);
  CHECK(welcome.acknowledged == 1ULL << 60);
  CHECK(welcome.window_items == 512);
}

TEST_CASE("a batch survives the wire, as a tree and item by item alike") {
  Batch batch;
  batch.first = 42;
  auto binary = update("n1", "blob", std::string("\xff\x00\xfe", 3));
  binary.content_format = 42;
  binary.time_uncertain = true;
  batch.items = {update("n1", "temperature", "23°C"),
                 update("n1", "", ""),
                 binary,
                 NodeJoined{"n2", "CoAP", "192.0.2.1", at(5)},
                 NodeOut{"n3", at(6)},
                 NodeReset{"n4", "CoAP", "192.0.2.4", at(7)},
                 Notice{"uid_conflict", "n5", "line\none", at(8)}};
  std::string items;
  for (const Item& item : batch.items) {
    if (!items.empty()) items += ',';
    append_item(items, item);
  }
  CHECK(format_batch(42, false, items) == format_message(batch));
  CHECK(format_live(items) == format_message(Live{batch.items}));
  CHECK(round_trip(Live{batch.items}).items.size() == 7);
  std::string one;
  append_update(one, {"n1", "temperature", "23°C", std::nullopt, at(1769860800123), false});
  std::string same;
  append_item(same, batch.items[0]);
  CHECK(one == same);
  const auto item = parse_item(one);
  REQUIRE(item);
  CHECK(std::get<Update>(*item).bytes == "23°C");
  CHECK_FALSE(parse_item(one + "x"));
  CHECK_FALSE(parse_item("{}"));
  CHECK_FALSE(round_trip(batch).replay);
  batch.replay = true;
  CHECK(format_batch(42, true, items) == format_message(batch));
  CHECK(round_trip(batch).replay);

  const auto back = round_trip(batch);
  REQUIRE(back.items.size() == 7);
  CHECK(back.first == 42);
  const auto& first = std::get<Update>(back.items[0]);
  CHECK(first.uid == "n1");
  CHECK(first.bytes == "23°C");
  CHECK(first.time == at(1769860800123));
  CHECK_FALSE(first.content_format);
  const auto& blob = std::get<Update>(back.items[2]);
  CHECK(blob.bytes == std::string("\xff\x00\xfe", 3));
  CHECK(blob.content_format == 42);
  CHECK(blob.time_uncertain);
  CHECK(std::get<NodeJoined>(back.items[3]).address == "192.0.2.1");
  CHECK(std::get<NodeOut>(back.items[4]).uid == "n3");
  CHECK(std::get<NodeReset>(back.items[5]).address == "192.0.2.4");
  CHECK(std::get<NodeReset>(back.items[5]).time == at(7));
  CHECK(std::get<Notice>(back.items[6]).message == "line\none");
}

TEST_CASE("fields of one item never leak into the next") {
  const auto parsed = parse_message(
      R"({"type":"batch","first":1,"items":[{"node":"a","resource":"r","value":"/w==","encoding":"base64","format":42,"time":9,"time_uncertain":true},{"node":"b","resource":"s","value":"x"},{"event":"joined","node":"c","protocol":"CoAP","address":"x"},{"event":"joined","node":"d"}]})");
  REQUIRE(parsed);
  const auto& items = std::get<Batch>(*parsed).items;
  const auto& second = std::get<Update>(items[1]);
  CHECK(second.bytes == "x");
  CHECK_FALSE(second.content_format);
  CHECK_FALSE(second.time_uncertain);
  CHECK(second.time == WallTime{});
  CHECK(std::get<NodeJoined>(items[3]).protocol.empty());
}

TEST_CASE("a sync survives the wire") {
  NodeSnapshot node{"n1", "CoAP", "fe80::1%lowpan0", at(1), at(2), {update("", "led", "0")}};
  const auto sync = round_trip(Sync{{node, NodeSnapshot{"n2", "MQTT", "id", {}, {}, {}}}, false});
  REQUIRE(sync.nodes.size() == 2);
  CHECK_FALSE(sync.last);
  CHECK(sync.nodes[0].address == "fe80::1%lowpan0");
  CHECK(sync.nodes[0].last_seen == at(2));
  REQUIRE(sync.nodes[0].values.size() == 1);
  CHECK(sync.nodes[0].values[0].resource == "led");
  CHECK(sync.nodes[0].values[0].uid.empty());
}

TEST_CASE("asks and answers survive the wire") {
  Ask ask{7, Method::ipatch, "n1", "a/b", std::string("\x80", 1), 60, std::chrono::milliseconds(2500)};
  const auto asked = round_trip(ask);
  CHECK(asked.id == 7);
  CHECK(asked.method == Method::ipatch);
  CHECK(asked.payload == "\x80");
  CHECK(asked.content_format == 60);
  CHECK(asked.deadline == std::chrono::milliseconds(2500));

  Answer good;
  good.id = 7;
  good.code = "2.04";
  good.confirmed = "device";
  good.rtt = Duration(1840);
  const auto answered = round_trip(good);
  CHECK(answered.code == "2.04");
  CHECK(answered.confirmed == "device");
  CHECK(answered.rtt == Duration(1840));
  CHECK_FALSE(answered.error);

  Answer bad;
  bad.id = 8;
  bad.error = Error{Errc::timeout, "no answer", 504, Outcome::unknown};
  const auto failed = round_trip(bad);
  REQUIRE(failed.error);
  CHECK(failed.error->code == Errc::timeout);
  CHECK(failed.error->native == 504);
  CHECK(failed.error->outcome == Outcome::unknown);
}

TEST_CASE("small messages survive the wire") {
  CHECK(round_trip(Ack{99}).sequence == 99);
  CHECK(round_trip(Refused{"n", "taken"}).reason == "taken");
  CHECK(round_trip(Freed{"n"}).uid == "n");
  CHECK(round_trip(Failure{"usage", "why"}).message == "why");
}

TEST_CASE("members may stand in any order and unknown ones are ignored") {
  const auto parsed = parse_message(
      R"({"items":[{"x":{"y":[1]},"value":"1","resource":"r","node":"n"}],"new":null,"first":3,"type":"batch"})");
  REQUIRE(parsed);
  CHECK(std::get<Batch>(*parsed).items.size() == 1);
}

TEST_CASE("an event of a newer version keeps its place in the numbering") {
  const auto parsed = parse_message(R"({"type":"batch","first":1,"items":[{"event":"asleep","node":"n"}]})");
  REQUIRE(parsed);
  CHECK(std::get<Notice>(std::get<Batch>(*parsed).items.at(0)).type == "unknown_event");
}

TEST_CASE("bad messages are refused with what and where") {
  CHECK_THAT(error_of("nonsense"), Catch::Contains("at byte 0"));
  CHECK_THAT(error_of("{}"), Catch::Contains("without its type"));
  CHECK_THAT(error_of(R"({"type":7})"), Catch::Contains("expected a string"));
  CHECK_THAT(error_of(R"({"type":"hello","stream":"s"})"), Catch::Contains("gateway's name"));
  CHECK_THAT(error_of(R"({"type":"hello","name":"n"})"), Catch::Contains("stream"));
  CHECK_THAT(error_of(R"({"type":"batch","items":[]})"), Catch::Contains("first"));
  CHECK_THAT(error_of(R"({"type":"batch","first":0,"items":[]})"), Catch::Contains("first"));
  CHECK_THAT(error_of(R"({"type":"batch","first":1,"items":[{"node":"n","value":"1"}]})"),
             Catch::Contains("resource"));
  CHECK_THAT(error_of(R"({"type":"batch","first":1,"items":[{"resource":"n","value":"1"}]})"),
             Catch::Contains("node"));
  CHECK_THAT(
      error_of(
          R"({"type":"batch","first":1,"items":[{"node":"n","resource":"r","value":"%","encoding":"base64"}]})"),
      Catch::Contains("base64"));
  CHECK_THAT(
      error_of(
          R"({"type":"batch","first":1,"items":[{"node":"n","resource":"r","value":"1","format":65536}]})"),
      Catch::Contains("65535"));
  CHECK_THAT(
      error_of(
          R"({"type":"batch","first":1,"items":[{"node":"n","resource":"r","value":"1","time":99999999999999999}]})"),
      Catch::Contains("9999"));
  CHECK_THAT(error_of(R"({"type":"ask","id":1,"node":"n","method":"SHOUT"})"), Catch::Contains("method"));
  CHECK_THAT(error_of(R"({"type":"ack","sequence":1} x)"), Catch::Contains("after the end"));
}

TEST_CASE("a type of a newer version is told apart from a malformed message") {
  const auto parsed = parse_message(R"({"type":"dance"})");
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == Errc::usage);
}

TEST_CASE("the bounds on names, values and counts hold") {
  const auto batch = [](const std::string& uid, const std::string& resource, const std::string& value) {
    Batch made;
    made.first = 1;
    made.items = {update(uid, resource, value)};
    return parse_message(format_message(made)).has_value();
  };
  CHECK(batch(std::string(kMaxUid, 'u'), std::string(kMaxResource, 'r'), std::string(kMaxValue, 'v')));
  CHECK(batch("u", "r", std::string(kMaxValue, '\xff')));
  CHECK_FALSE(batch(std::string(kMaxUid + 1, 'u'), "r", "v"));
  CHECK_FALSE(batch("u", std::string(kMaxResource + 1, 'r'), "v"));
  CHECK_FALSE(batch("u", "r", std::string(kMaxValue + 1, 'v')));
  CHECK_FALSE(batch("u", "r", std::string(kMaxValue + 1, '\xff')));

  const auto many = [](std::size_t count) {
    std::string items;
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) items += ',';
      append_item(items, update("u", "r", "v"));
    }
    return items;
  };
  CHECK(parse_message(format_batch(1, false, many(kMaxBatchItems))));
  CHECK_THAT(error_of(format_batch(1, false, many(kMaxBatchItems + 1))), Catch::Contains("4096"));
  CHECK_THAT(error_of(format_live(many(kMaxBatchItems + 1))), Catch::Contains("4096"));
}

TEST_CASE("the next stream and its answer survive the wire") {
  const auto next = round_trip(NextStream{"s-2", {"s-1"}});
  CHECK(next.stream == "s-2");
  CHECK(next.earlier == std::vector<std::string>{"s-1"});
  const auto resume = round_trip(Resume{"s-2", 7});
  CHECK(resume.stream == "s-2");
  CHECK(resume.acknowledged == 7);
  CHECK_THAT(error_of(R"({"type":"stream"})"), Catch::Contains("without its name"));
  std::string long_list;
  for (int i = 0; i < 65; ++i) long_list += (i > 0 ? ",\"s\"" : "\"s\"");
  CHECK_THAT(error_of(R"({"type":"stream","stream":"s","earlier":[)" + long_list + "]}"),
             Catch::Contains("too long"));
}
