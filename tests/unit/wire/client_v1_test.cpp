#include "daemon/wire/client_v1.h"

#include <catch2/catch.hpp>
#include <string>

using namespace aiot;
using namespace aiot::wire::client_v1;

namespace {

template <class M>
M read(std::string_view text) {
  auto parsed = parse(text);
  REQUIRE(parsed);
  REQUIRE(std::holds_alternative<M>(*parsed));
  return std::get<M>(*std::move(parsed));
}

std::string flaw(std::string_view text) {
  const auto parsed = parse(text);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == Errc::rejected);
  return parsed.error().message;
}

}  // namespace

TEST_CASE("a subscription says what it wants, and by default it wants everything") {
  const auto all = read<Subscribe>(R"({"type":"subscribe","id":1})");
  CHECK(all.id == 1);
  CHECK(all.nodes.empty());
  CHECK(all.resources.empty());
  CHECK_FALSE(all.conflate);
  CHECK(all.snapshot);
  CHECK(all.events);
  CHECK(all.window == 0);
  const auto some = read<Subscribe>(
      R"({"id":9007199254740991,"later":{"x":[1]},"nodes":["a","b*"],"resources":["*/t"],"conflate":true,)"
      R"("snapshot":false,"events":false,"window":8,"type":"subscribe"})");
  CHECK(some.id == kMaxId);
  CHECK(some.nodes == std::vector<std::string>{"a", "b*"});
  CHECK(some.resources == std::vector<std::string>{"*/t"});
  CHECK(some.conflate);
  CHECK_FALSE(some.snapshot);
  CHECK_FALSE(some.events);
  CHECK(some.window == 8);
}

TEST_CASE("a write keeps its value as JSON, of any type") {
  const auto write = read<Write>(
      R"({"type":"write","id":3,"method":"POST","node":"n","resource":"a/b","value":{"x": 1},"format":50,)"
      R"("deadline_ms":1500,"expires_ms":20,"key":""})");
  CHECK(write.method == Method::post);
  CHECK(write.value == R"({"x": 1})");
  CHECK(write.format == "50");
  CHECK(write.encoding.empty());
  CHECK(write.deadline == std::chrono::milliseconds(1500));
  CHECK(write.expires == std::chrono::milliseconds(20));
  CHECK(write.key == std::optional<std::string>(""));
  const auto plain = read<Write>(R"({"type":"write","id":3,"node":"n","resource":"led","value":"1"})");
  CHECK(plain.method == Method::put);
  CHECK_FALSE(plain.key);
  CHECK_FALSE(plain.deadline);
}

TEST_CASE("the other messages are read") {
  CHECK(read<Hello>(R"({"type":"hello","version":2,"software":"x"})").version == 2);
  CHECK(read<Unsubscribe>(R"({"type":"unsubscribe","id":0})").id == 0);
  CHECK(read<Ack>(R"({"type":"ack","id":4})").batches == 1);
  CHECK(read<Ack>(R"({"type":"ack","id":4,"batches":7})").batches == 7);
  const auto asked =
      read<Read>(R"({"type":"read","id":4,"node":"n","resource":"t","live":true,"deadline_ms":1})");
  CHECK(asked.live);
  CHECK(asked.deadline == std::chrono::milliseconds(1));
}

TEST_CASE("what is wrong with a message is named, with its place") {
  CHECK(flaw("").find("byte 0") != std::string::npos);
  CHECK(flaw("[]").find("byte 0") != std::string::npos);
  CHECK(flaw("{}").find("without its type") != std::string::npos);
  CHECK(flaw(R"({"type":7})").find("byte 8") != std::string::npos);
  CHECK(flaw(R"({"type":"hello"})").find("version") != std::string::npos);
  for (const char* type : {"subscribe", "unsubscribe", "ack", "read", "write"}) {
    CHECK(flaw(std::string(R"({"type":")") + type + "\"}").find("without its id") != std::string::npos);
    CHECK_FALSE(flaw(std::string(R"({"type":")") + type + R"(","id":-1})").empty());
    CHECK_FALSE(flaw(std::string(R"({"type":")") + type + R"(","id":1.5})").empty());
    CHECK_FALSE(flaw(std::string(R"({"type":")") + type + R"(","id":1})" + "x").empty());
  }
  CHECK(flaw(R"({"type":"subscribe","id":9007199254740992})").find("2^53") != std::string::npos);
  CHECK_FALSE(flaw(R"({"type":"subscribe","id":1,"nodes":"n"})").empty());
  CHECK_FALSE(flaw(R"({"type":"subscribe","id":1,"nodes":[1]})").empty());
  CHECK_FALSE(flaw(R"({"type":"subscribe","id":1,"window":1000001})").empty());
  CHECK_FALSE(
      flaw(R"({"type":"subscribe","id":1,"nodes":[")" + std::string(kMaxUid + 1, 'n') + "\"]}").empty());
  std::string many = R"({"type":"subscribe","id":1,"nodes":["n")";
  for (std::size_t i = 0; i < kMaxPatterns; ++i) many += ",\"n\"";
  CHECK(flaw(many + "]}").find("1024") != std::string::npos);
  CHECK(flaw(R"({"type":"write","id":1,"resource":"r","value":1})").find("node") != std::string::npos);
  CHECK(flaw(R"({"type":"read","id":1,"resource":"r"})").find("node") != std::string::npos);
  CHECK(flaw(R"({"type":"write","id":1,"node":"n","resource":"r","method":"GET"})").find("PUT") !=
        std::string::npos);
  CHECK(flaw(R"({"type":"write","id":1,"node":"n","resource":"r","deadline_ms":0})").find("300000") !=
        std::string::npos);
  CHECK_FALSE(flaw(R"({"type":"read","id":1,"node":"n","resource":"r","deadline_ms":300001})").empty());
}

TEST_CASE("a type of a newer version can be told from nonsense") {
  const auto parsed = parse(R"({"type":"later","id":"x"})");
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == Errc::usage);
}
