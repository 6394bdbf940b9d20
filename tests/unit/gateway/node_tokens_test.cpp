#include "daemon/gateway/node_tokens.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "support/temporary_folder.h"

using namespace aiot;
using namespace aiot::gateway;

TEST_CASE("Tokens of WebSocket nodes name whose they are") {
  const auto tokens = NodeTokens::parse(
      "# doors\n\n  door 1:0123456789abcdef\r\ndoor 1:a-second_token.~+/==\na:b: 0123456789ABCDEF \n", "f");
  REQUIRE(tokens);
  CHECK(tokens->size() == 3);
  CHECK(*tokens->owner("0123456789abcdef") == "door 1");
  CHECK(*tokens->owner("a-second_token.~+/==") == "door 1");
  CHECK(*tokens->owner("0123456789ABCDEF") == "a:b");
  for (const char* stranger : {"", "0123456789abcde", "0123456789abcdef ", "0123456789Abcdef", "door 1"})
    CHECK(tokens->owner(stranger) == nullptr);
  CHECK(NodeTokens::parse("", "f")->size() == 0);
}

TEST_CASE("What is wrong with a file of nodes' tokens is said with its line, and without the token") {
  const std::string secret = "0123456789abcdef";
  const std::vector<std::string> lines = {secret,
                                          ":" + secret,
                                          "a/b:" + secret,
                                          std::string(65, 'a') + ":" + secret,
                                          "n:" + secret + "\"",
                                          "n:0123456789abcde",
                                          "n:",
                                          "n:" + std::string(129, 'a'),
                                          "m:" + secret + "\nn:" + secret,
                                          "n:0123456789 abcdef"};
  for (const std::string& line : lines) {
    CAPTURE(line);
    const auto tokens = NodeTokens::parse("# one\n" + line + "\n", "tokens");
    REQUIRE_FALSE(tokens);
    CHECK(tokens.error().code == Errc::usage);
    CHECK(tokens.error().message.starts_with(line[0] == 'm' ? "tokens:3: " : "tokens:2: "));
    CHECK(tokens.error().message.find("0123") == std::string::npos);
  }
}

TEST_CASE("A file of nodes' tokens that others can write is not used") {
  const test::TemporaryFolder folder;
  const std::string path = folder.path + "/tokens";
  CHECK(NodeTokens::read(path).error().code == Errc::internal);
  std::ofstream(path) << "n:0123456789abcdef\n";
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  CHECK(NodeTokens::read(path)->size() == 1);
  REQUIRE(::chmod(path.c_str(), 0622) == 0);
  CHECK(NodeTokens::read(path).error().code == Errc::usage);
}
