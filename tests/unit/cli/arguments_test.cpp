#include "cli/arguments.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::cli;

namespace {

const std::vector<OptionShape> kShapes = {
    {{"timeout"}, "", true}, {{"count"}, "n", true}, {{"verbose"}, "v", false},
    {{"json"}, "", false},   {{"help"}, "h", false}, {{"version"}, "", false},
};

SplitArguments good(const std::vector<std::string>& arguments) {
  auto split = split_arguments(arguments, kShapes);
  REQUIRE(split);
  return *split;
}

std::string refused(const std::vector<std::string>& arguments) {
  auto split = split_arguments(arguments, kShapes);
  REQUIRE_FALSE(split);
  CHECK(split.error().code == Errc::usage);
  return split.error().message;
}

using Options = std::vector<SplitOption>;
using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("options may stand anywhere among the arguments") {
  const auto split = good({"coap://h/a", "--timeout", "5s", "coap://h/b", "--json"});
  CHECK(split.positionals == Words{"coap://h/a", "coap://h/b"});
  CHECK(split.options == Options{{"--timeout", "5s"}, {"--json", std::nullopt}});
}

TEST_CASE("a value follows its option as the next argument, after an equals sign or glued to a letter") {
  CHECK(good({"--count", "3"}).options == Options{{"--count", "3"}});
  CHECK(good({"--count=3"}).options == Options{{"--count", "3"}});
  CHECK(good({"-n", "3"}).options == Options{{"--count", "3"}});
  CHECK(good({"-n3"}).options == Options{{"--count", "3"}});
  CHECK(good({"-vvn3"}).options == Options{{"--verbose", {}}, {"--verbose", {}}, {"--count", "3"}});
  CHECK(good({"--timeout="}).options == Options{{"--timeout", ""}});
  CHECK(good({"--timeout=a=b"}).options == Options{{"--timeout", "a=b"}});
}

TEST_CASE("an option takes the next argument whatever it looks like") {
  CHECK(good({"--count", "-5"}).options == Options{{"--count", "-5"}});
  CHECK(good({"--count", "--json"}).options == Options{{"--count", "--json"}});
}

TEST_CASE("negative numbers and a lone dash are values") {
  CHECK(good({"-5", "-.5", "-1e3", "-", "-0x1f"}).positionals == Words{"-5", "-.5", "-1e3", "-", "-0x1f"});
  CHECK(good({"", "{}", "[a,b]", "%%"}).positionals == Words{"", "{}", "[a,b]", "%%"});
}

TEST_CASE("two dashes end the options") {
  const auto split = good({"-v", "--", "--json", "-v", "--"});
  CHECK(split.options.size() == 1);
  CHECK(split.positionals == Words{"--json", "-v", "--"});
}

TEST_CASE("unknown options are refused with the nearest one") {
  CHECK(refused({"--tiemout", "5"}) == "unknown option --tiemout; did you mean --timeout?");
  CHECK(refused({"--xyzzy"}) == "unknown option --xyzzy");
  CHECK(refused({"-timeout", "5"}) == "unknown option -t; did you mean --timeout?");
  CHECK(refused({"-x"}) == "unknown option -x");
  CHECK(refused({"--\x1b[31m"}).find('\x1b') == std::string::npos);
}

TEST_CASE("a missing value and a value too many are refused") {
  CHECK(refused({"--timeout"}) == "option --timeout needs a value");
  CHECK(refused({"-n"}) == "option -n needs a value");
  CHECK(refused({"--json=yes"}) == "option --json takes no value");
}

TEST_CASE("the command is the first word that is no option's value") {
  CHECK(find_command_word({"--timeout", "5s", "get", "x"}, kShapes)->index == 2u);
  CHECK(find_command_word({"-v", "observe"}, kShapes)->index == 1u);
  CHECK_FALSE(find_command_word({"--json"}, kShapes)->index);
  CHECK(find_command_word({"--help", "get"}, kShapes)->help);
  CHECK_FALSE(find_command_word({"get", "--help"}, kShapes)->help);
  CHECK(find_command_word({"--version"}, kShapes)->version);
  const auto early = find_command_word({"--poll", "3s", "observe"}, kShapes);
  REQUIRE_FALSE(early);
  CHECK(early.error().message == "unknown option --poll; the options of a command stand after it");
}

TEST_CASE("JSON is recognised before the arguments are parsed") {
  CHECK(asks_for_json({"get", "--json"}, nullptr));
  CHECK(asks_for_json({"get", "--output", "json"}, nullptr));
  CHECK(asks_for_json({"get", "--output=json"}, nullptr));
  CHECK(asks_for_json({"get"}, "json"));
  CHECK_FALSE(asks_for_json({"get", "--output", "text"}, "json"));
  CHECK_FALSE(asks_for_json({"get", "--", "--json"}, nullptr));
  CHECK_FALSE(asks_for_json({"get"}, nullptr));
  CHECK(asks_for_json({"--json", "get", "--output", "yaml"}, nullptr));
}
