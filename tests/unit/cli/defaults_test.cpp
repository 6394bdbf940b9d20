#include "cli/defaults.h"

#include <catch2/catch.hpp>
#include <map>

#include "cli/command_table.h"

using namespace aiot;
using namespace aiot::cli;

namespace {

std::map<std::string, std::string> variables;

const char* variable(const char* name) {
  const auto found = variables.find(name);
  return found == variables.end() ? nullptr : found->second.c_str();
}

Result<Defaults> resolve(std::vector<SplitOption> given, const std::vector<ConfigEntry>& entries,
                         std::map<std::string, std::string> environment) {
  variables = std::move(environment);
  const auto config = Config::of(entries);
  return resolve_defaults(command_options(*find_command("get")), given, "get", *config, variable);
}

const ConfigEntry kTimeout{"", "timeout", {"3s"}, "f:1"};

}  // namespace

TEST_CASE("a flag beats the environment, which beats the configuration") {
  auto flag = resolve({{"--timeout", "1s"}}, {kTimeout}, {{"AIOT_TIMEOUT", "2s"}});
  REQUIRE(flag);
  CHECK(flag->options.empty());
  auto environment = resolve({}, {kTimeout}, {{"AIOT_TIMEOUT", "2s"}});
  REQUIRE(environment);
  CHECK(environment->options == std::vector<SplitOption>{{"--timeout", "2s"}});
  CHECK(environment->origins.at("--timeout") == "AIOT_TIMEOUT");
  auto file = resolve({}, {kTimeout}, {{"AIOT_TIMEOUT", ""}});
  REQUIRE(file);
  CHECK(file->options == std::vector<SplitOption>{{"--timeout", "3s"}});
  CHECK(file->origins.at("--timeout") == "f:1");
}

TEST_CASE("a command's own table beats the top of the file") {
  auto own = resolve({}, {kTimeout, {"get", "timeout", {"9s"}, "f:4"}}, {});
  REQUIRE(own);
  CHECK(own->options == std::vector<SplitOption>{{"--timeout", "9s"}});
}

TEST_CASE("true sets a flag and false leaves it") {
  auto on = resolve({}, {{"get", "stale", {"true"}, "f:1"}}, {});
  REQUIRE(on);
  CHECK(on->options == std::vector<SplitOption>{{"--stale", std::nullopt}});
  auto off = resolve({}, {{"get", "stale", {"false"}, "f:1"}}, {});
  REQUIRE(off);
  CHECK(off->options.empty());
  CHECK_FALSE(resolve({}, {{"get", "stale", {"maybe"}, "f:1"}}, {}));
}

TEST_CASE("unknown keys are refused with their place and the nearest key") {
  auto typo = resolve({}, {{"", "tiemout", {"3s"}, "f:7"}}, {});
  REQUIRE_FALSE(typo);
  CHECK(typo.error().message == "f:7: unknown key 'tiemout'; did you mean 'timeout'?");
  CHECK_FALSE(resolve({}, {{"get", "nothing", {"3s"}, "f:7"}}, {}));
  // An option of a command does not stand at the top; another command's table is not looked at.
  auto misplaced = resolve({}, {{"", "parallel", {"3"}, "f:7"}}, {});
  REQUIRE_FALSE(misplaced);
  CHECK(misplaced.error().message == "f:7: 'parallel' is no global option; it stands in a table, as [get]");
  CHECK(resolve({}, {{"observe", "nothing", {"3s"}, "f:7"}}, {}));
  CHECK_FALSE(resolve({}, {{"", "help", {"true"}, "f:7"}}, {}));
}

TEST_CASE("a list is for options that may be given several times") {
  CHECK_FALSE(resolve({}, {{"", "timeout", {"1s", "2s"}, "f:1"}}, {}));
}

TEST_CASE("config check finds every value that its option does not take") {
  const auto config = Config::of({{"", "timeout", {"soon"}, "f:1"},
                                  {"", "quiet", {"yes"}, "f:2"},
                                  {"", "quiet", {"true"}, "f:3"},
                                  {"get", "parallel", {"0"}, "f:4"},
                                  {"get", "parallel", {"4", "5"}, "f:5"},
                                  {"publish", "qos", {"1"}, "f:6"},
                                  {"serve-broker", "listen", {"nowhere"}, "f:7"},
                                  {"serve-broker", "allow-origin", {"http://a", "http://b"}, "f:8"},
                                  {"serve-gateway", "coap", {"off"}, "f:9"},
                                  {"serve-gateway", "journal-size", {"1K"}, "f:10"},
                                  {"serve-broker", "log-format", {"xml"}, "f:11"}});
  const auto errors = check_config(*config);
  std::vector<std::string> lines;
  for (const Error& error : errors) {
    CHECK(error.code == Errc::usage);
    lines.push_back(error.message.substr(0, error.message.find(' ')));
  }
  CHECK(lines == std::vector<std::string>{"f:1:", "f:2:", "f:4:", "f:5:", "f:7:", "f:10:", "f:11:"});
  CHECK(errors[0].message.find("f:1: timeout: 'soon'") == 0);
}

TEST_CASE("config check knows what daemons take, and what a broker may be") {
  const auto wrong = [](const char* table, const char* key, std::vector<std::string> values) {
    CAPTURE(table, key, values);
    const auto errors = check_config(
        *Config::of({{table, key, std::move(values), "f:1"}, {"brokers.paris", "url", {"wss://h"}, "f:2"}}));
    CHECK(errors.size() <= 1);
    CHECK((errors.empty() || errors[0].message.starts_with(std::string("f:1: ") + key + ": ")));
    return !errors.empty();
  };
  CHECK(wrong("serve-gateway", "allow", {"fd00::/8", "nonsense"}));
  CHECK_FALSE(wrong("serve-gateway", "allow", {"fd00::/8", "192.0.2.1"}));
  CHECK(wrong("serve-gateway", "max-time-for", {"x"}));
  CHECK_FALSE(wrong("serve-gateway", "max-time-for", {"door-*=2h"}));
  CHECK(wrong("serve-gateway", "mqtt", {"http://h"}));
  CHECK_FALSE(wrong("serve-gateway", "mqtt", {"off"}));
  CHECK(wrong("serve-gateway", "mqtt-map", {"a/b"}));
  CHECK(wrong("serve-gateway", "mqtt-discovery", {"a/#"}));
  CHECK(wrong("serve-gateway", "mqttsn-topic", {"7"}));
  CHECK(wrong("serve-gateway", "mqttsn-retries", {"many"}));
  CHECK(wrong("serve-gateway", "node", {"h"}));
  CHECK(wrong("serve-gateway", "name", {""}));
  CHECK(wrong("serve-gateway", "site", {"two\nlines"}));
  CHECK(wrong("serve-gateway", "sync", {"2m"}));
  CHECK_FALSE(wrong("serve-gateway", "sync", {"always"}));
  CHECK(wrong("serve-broker", "trusted-proxy", {"nginx"}));
  CHECK(wrong("serve-broker", "allow-origin", {"iot.example"}));
  CHECK(wrong("serve-broker", "allow-origin", {"https://iot.example/path"}));
  CHECK_FALSE(wrong("serve-broker", "allow-origin", {"https://iot.example", "http://h:8080/", "null", "*"}));
  CHECK(wrong("serve-broker", "camera", {"ftp://h/x"}));
  CHECK(wrong("", "broker", {"rome"}));
  CHECK(wrong("", "broker", {"nope://h"}));
  CHECK(wrong("serve-gateway", "broker", {"wss://user:secret@h"}));
  CHECK_FALSE(wrong("", "broker", {"paris"}));
  CHECK_FALSE(wrong("serve-gateway", "broker", {"off"}));
  CHECK(wrong("brokers.rome", "url", {"nope://h"}));
  const auto nowhere = check_config(*Config::of({{"brokers.rome", "token-file", {"t"}, "f:1"}}));
  REQUIRE(nowhere.size() == 1);
  CHECK(nowhere[0].message == "f:1: [brokers.rome] has no url");
  const auto json = check_config(*Config::of({{"", "json", {"true"}, "f:1"}}));
  REQUIRE(json.size() == 1);
  CHECK(json[0].message == "f:1: 'json' is an option that cannot be configured");
}

TEST_CASE("what may be a secret in the wrong place is not shown") {
  const auto shown = [](const char* table, const char* key, const char* value) {
    return shown_values({table, key, {value}, "f:1"}).front();
  };
  CHECK(shown("serve-broker", "token", "hunter2") == "(hidden)");
  CHECK(shown("", "password", "hunter2") == "(hidden)");
  CHECK(shown("nobody", "listen", "hunter2") == "(hidden)");
  CHECK(shown("brokers.paris", "password", "hunter2") == "(hidden)");
  CHECK(shown("brokers.paris", "url", "wss://u:hunter2@h/p@q") == "wss://(hidden)@h/p@q");
  CHECK(shown("brokers.paris", "url", "wss://h/p@q") == "wss://h/p@q");
  CHECK(shown("serve-gateway", "token-file", "aiot_hunter2") == "(hidden)");
  CHECK(shown("serve-gateway", "name", "paris") == "paris");
}

TEST_CASE("config check does not look at the environment") {
  ::setenv("AIOT_TIMEOUT", "never", 1);
  CHECK(check_config(*Config::of({{"get", "parallel", {"1"}, "f:1"}})).empty());
  ::unsetenv("AIOT_TIMEOUT");
}

TEST_CASE("config check finds every unknown table and key") {
  const auto config = Config::of({{"", "timeout", {"1s"}, "f:1"},
                                  {"gett", "parallel", {"1"}, "f:2"},
                                  {"get", "parallel", {"1"}, "f:3"},
                                  {"get", "paralel", {"1"}, "f:4"},
                                  {"brokers.x", "url", {"ws://h"}, "f:5"},
                                  {"brokers.x", "password", {"p"}, "f:6"}});
  const auto errors = check_config(*config);
  REQUIRE(errors.size() == 3);
  CHECK(errors[0].message == "f:2: unknown table [gett]; did you mean 'get'?");
  CHECK(errors[1].message == "f:4: unknown key 'paralel' in [get]; did you mean 'parallel'?");
  CHECK(errors[2].message.find("f:6: unknown key 'password'") == 0);
}
