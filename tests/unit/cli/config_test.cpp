#include "cli/config.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::cli;

TEST_CASE("a configuration is read into tables and keys with their lines") {
  const auto entries = parse_config(
      "timeout = \"5s\"\n[serve-gateway]\nallow = [\"10.0.0.0/8\", \"fd00::/8\"]\nmax-time = 120\nstandalone "
      "= true\n"
      "[brokers.paris]\nurl = \"wss://h/p\"\n",
      "f");
  REQUIRE(entries);
  REQUIRE(entries->size() == 5);
  const auto config = Config::of(*entries);
  CHECK(config->find("", "timeout")->values == std::vector<std::string>{"5s"});
  CHECK(config->find("", "timeout")->origin == "f:1");
  CHECK(config->find("serve-gateway", "allow")->values == std::vector<std::string>{"10.0.0.0/8", "fd00::/8"});
  CHECK(config->find("serve-gateway", "max-time")->values == std::vector<std::string>{"120"});
  CHECK(config->find("serve-gateway", "standalone")->values == std::vector<std::string>{"true"});
  CHECK(config->broker("paris")->url == "wss://h/p");
  CHECK(config->broker_names() == std::vector<std::string_view>{"paris"});
  CHECK_FALSE(config->broker("rome"));
  CHECK(config->find("", "output") == nullptr);
}

TEST_CASE("what does not parse is refused with file and line") {
  for (const char* text :
       {"a = \n", "\n\na = [1, [2]]\n", "a = 1\na = 2\n", "[x", "a = 1979-05-27\n", "\xff = 1\n"}) {
    const auto entries = parse_config(text, "file.toml");
    REQUIRE_FALSE(entries);
    CHECK(entries.error().code == Errc::usage);
    CHECK(entries.error().message.rfind("file.toml:", 0) == 0);
  }
}

TEST_CASE("a configuration is bounded in length and depth") {
  CHECK_FALSE(parse_config(std::string(kMaxConfigBytes + 1, '\n'), "f"));
  CHECK_FALSE(parse_config("[a.b.c.d.e.f.g]\nk = 1\n", "f"));
}

TEST_CASE("the first file that has a key counts") {
  const auto config = Config::of({{"", "output", {"json"}, "user:1"}, {"", "output", {"csv"}, "system:1"}});
  CHECK(config->find("", "output")->origin == "user:1");
}

TEST_CASE("a letter beyond ASCII outside of quotes is refused with its line, inside it is kept") {
  const auto refused = aiot::cli::parse_config("timeout = 5\nn\xC3\xA9 = 1\n", "a.toml");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.starts_with("a.toml:2: "));
  const auto kept = aiot::cli::parse_config(
      "\xEF\xBB\xBF# \xC3\xA9\na = \"Z\xC3\xBCrich ~41\" # \xC3\xA9\n\"\xC3\xA9\" = '''\n\xC3\xA9'''\n",
      "a.toml");
  REQUIRE(kept);
  REQUIRE(kept->size() == 2);
  CHECK(kept->front().values.front() == "Z\xC3\xBCrich ~41");
  CHECK(kept->back().key == "\xC3\xA9");
  CHECK(kept->back().values.front() == "\xC3\xA9");
}
