#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::cli;

namespace {

/// Parses the way program.cpp does: names and values alone, in CLI11's reversed order.
void parse(CLI::App& app, std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());
  app.parse(std::move(arguments));
}

}  // namespace

TEST_CASE("values reach their variables byte for byte") {
  for (const char* value : {"{}", "[a,b]", "-5", "-.5", "--", "%%", "a=b", "", "'x'", "\"y\"", "a,b", "@f"}) {
    CLI::App app;
    std::string one, positional;
    std::vector<std::string> many;
    add_text(app, "--one", one, "", "X");
    add_texts(app, "--many", many, "", "X");
    add_argument(app, "ARG", positional, "", true);
    parse(app, {"--one", value, "--many", value, "--many", "z", "--argument-ARG", value});
    CAPTURE(value);
    CHECK(one == value);
    CHECK(many == std::vector<std::string>{value, "z"});
    CHECK(positional == value);
  }
}

TEST_CASE("the last of an option given twice counts") {
  CLI::App app;
  Duration timeout{};
  add_duration(app, "--timeout", timeout, "");
  parse(app, {"--timeout", "1s", "--timeout", "250ms"});
  CHECK(timeout == std::chrono::milliseconds(250));
}

TEST_CASE("bad values are refused with the option's name and the reason") {
  const auto refused = [](const std::vector<std::string>& arguments) -> std::string {
    CLI::App app;
    Duration duration{};
    std::size_t number = 0;
    std::optional<SocketAddress> address;
    std::string choice;
    add_duration(app, "--for", duration, "");
    add_number(app, "--count", number, "", 1, 10);
    add_address(app, "--listen", address, "", 80, true);
    add_choice(app, "--output", choice, "", {"text", "json"});
    try {
      parse(app, arguments);
    } catch (const CLI::ParseError& error) {
      return error.what();
    }
    return {};
  };
  CHECK(refused({"--for", "soon"}).rfind("--for: ", 0) == 0);
  CHECK(refused({"--for", "-1"}).rfind("--for: ", 0) == 0);
  CHECK(refused({"--count", "0"}) == "--count: '0' is not a whole number from 1 to 10");
  CHECK(refused({"--count", "99999999999999999999999"}).find("whole number") != std::string::npos);
  CHECK(refused({"--count", "2x"}).find("whole number") != std::string::npos);
  CHECK(refused({"--listen", "nowhere:x"}).rfind("--listen: ", 0) == 0);
  CHECK(refused({"--output", "jsno"}) == "--output: 'jsno' is not one of text, json; did you mean 'json'?");
  CHECK(refused({"--for", "1h30m", "--count", "10", "--listen", "off", "--output", "json"}).empty());
}
