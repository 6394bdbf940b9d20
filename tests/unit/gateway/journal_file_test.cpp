#include "daemon/gateway/journal_file.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::gateway;

namespace {
const WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 6 / 1);
}

TEST_CASE("A segment's head comes back as it was, and any cut or changed byte is noticed") {
  const SegmentHead head{"s2", 41, {"s1", "s0"}, "boot", kNow};
  const auto text = format_segment_head(head);
  auto parsed = parse_segment_head(text + "records");
  REQUIRE(parsed);
  CHECK(parsed->size == text.size());
  CHECK(parsed->head.stream == "s2");
  CHECK(parsed->head.first == 41);
  CHECK(parsed->head.earlier == std::vector<std::string>{"s1", "s0"});
  CHECK(parsed->head.boot == "boot");
  CHECK(parsed->head.made == kNow);
  for (std::size_t i = 0; i < text.size(); ++i) {
    CHECK_FALSE(parse_segment_head(text.substr(0, i)));
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    CHECK_FALSE(parse_segment_head(changed));
  }
}

TEST_CASE("Records come back as they were, with where they came from and without a time") {
  const Origin origin{*SocketAddress::parse("[fe80::1%7]:4711"), 65535, "12345678"};
  const Origin v4{*SocketAddress::parse("192.0.2.1:5683"), 0, ""};
  std::string text;
  append_record(text, R"({"a":1})", &origin, std::nullopt);
  append_record(text, R"({"b":2})", &v4, 17);
  append_record(text, R"({"c":3})", nullptr, std::nullopt);
  RecordReader reader(text);
  Record record;
  REQUIRE(reader.next(record) == RecordReader::Status::record);
  CHECK(record.item == R"({"a":1})");
  REQUIRE(record.origin);
  CHECK(record.origin->peer == origin.peer);
  CHECK(record.origin->message_id == 65535);
  CHECK(record.origin->token == "12345678");
  CHECK_FALSE(record.uptime_ms);
  REQUIRE(reader.next(record) == RecordReader::Status::record);
  CHECK(record.origin->peer == v4.peer);
  CHECK(record.origin->token.empty());
  CHECK(record.uptime_ms == 17U);
  REQUIRE(reader.next(record) == RecordReader::Status::record);
  CHECK_FALSE(record.origin);
  CHECK(reader.next(record) == RecordReader::Status::cut);
  CHECK(reader.position() == text.size());
}

TEST_CASE("Records cut at every byte end in a cut, and a changed byte is never taken for a record") {
  std::string text;
  const Origin origin{*SocketAddress::parse("192.0.2.1:5683"), 9, "t"};
  append_record(text, R"({"a":1})", &origin, 3);
  const auto first = text.size();
  append_record(text, R"({"b":2})", nullptr, std::nullopt);
  for (std::size_t i = 0; i < text.size(); ++i) {
    RecordReader reader(std::string_view(text).substr(0, i));
    Record record;
    std::size_t whole = 0;
    auto status = reader.next(record);
    for (; status == RecordReader::Status::record; status = reader.next(record)) ++whole;
    CHECK(whole == (i >= first ? 1 : 0));
    CHECK(status == RecordReader::Status::cut);
  }
  for (std::size_t i = 0; i < first; ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    RecordReader reader(changed);
    Record record;
    INFO(i);
    CHECK(reader.next(record) != RecordReader::Status::record);
  }
}

TEST_CASE("An item gets its time at its end, and says so when that is not certain") {
  std::string out;
  append_stamped(out, R"({"node":"n"})", kNow, false);
  CHECK(out == R"({"node":"n","time":1780272000000})");
  out.clear();
  append_stamped(out, R"({"node":"n"})", kNow, true);
  CHECK(out == R"({"node":"n","time":1780272000000,"time_uncertain":true})");
}

TEST_CASE("The time of a boot is found out from any later moment of it") {
  BootTimes times;
  times.entries.push_back({"a", 1000, kNow});
  times.entries.push_back({"b", 5000, kNow});
  const auto back =
      parse_boot_times(format_boot_times(times) + "nonsense\nx 1 y\nz 99999999999999999999 1\n\n");
  REQUIRE(back.entries.size() == 2);
  CHECK(back.time_of("a", 400) == kNow - std::chrono::milliseconds(600));
  CHECK(back.time_of("b", 6000) == kNow + std::chrono::seconds(1));
  CHECK_FALSE(back.time_of("c", 1));
}

TEST_CASE("A record names the MQTT message that brought it, and a cut one is no record") {
  Origin origin;
  origin.session = "client-1";
  origin.message_id = 4711;
  origin.hash = 0x8000'0000'0000'0001;
  std::string text;
  append_record(text, R"({"node":"n"})", &origin, 17);
  RecordReader reader(text);
  Record record;
  REQUIRE(reader.next(record) == RecordReader::Status::record);
  REQUIRE(record.origin);
  CHECK(record.origin->session == "client-1");
  CHECK(record.origin->message_id == 4711);
  CHECK(record.origin->hash == 0x8000'0000'0000'0001);
  CHECK(record.uptime_ms == 17);
  CHECK(record.item == R"({"node":"n"})");
  for (std::size_t size = 0; size < text.size(); ++size) {
    RecordReader cut(std::string_view(text).substr(0, size));
    CHECK(cut.next(record) == RecordReader::Status::cut);
  }
  const std::string long_name(129, 'x');
  origin.session = long_name;
  text.clear();
  append_record(text, "{}", &origin, std::nullopt);
  RecordReader without(text);
  REQUIRE(without.next(record) == RecordReader::Status::record);
  CHECK_FALSE(record.origin);
}
