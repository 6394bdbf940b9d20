#include "cli/config.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  const auto entries = aiot::cli::parse_config(input, "aiot.toml");
  if (!entries) {
    FUZZ_CHECK(entries.error().message.find("aiot.toml") != std::string::npos);
    return;
  }
  const auto config = aiot::cli::Config::of(*entries);
  for (const auto name : config->broker_names()) static_cast<void>(config->broker(name));
}
