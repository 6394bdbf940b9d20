// The splitter of the command line: never crashes, loses no word, and what it gives back it takes again.
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "fuzz.h"

using aiot::cli::OptionShape;

void fuzz_one(std::string_view input) {
  static const std::vector<OptionShape> shapes = {{{"timeout"}, "t", true},
                                                  {{"count", "number"}, "n", true},
                                                  {{"verbose"}, "v", false},
                                                  {{}, "x", false}};
  std::vector<std::string> arguments(1);
  for (const char c : input) {
    if (c == '\n') {
      arguments.emplace_back();
    } else {
      arguments.back() += c;
    }
  }
  (void)aiot::cli::find_command_word(arguments, shapes);
  (void)aiot::cli::asks_for_json(arguments, nullptr);
  const auto split = aiot::cli::split_arguments(arguments, shapes);
  if (!split) return;

  std::vector<std::string> again;
  for (const auto& option : split->options) {
    again.push_back(option.name);
    if (option.value) again.push_back(*option.value);
  }
  again.emplace_back("--");
  again.insert(again.end(), split->positionals.begin(), split->positionals.end());
  const auto repeated = aiot::cli::split_arguments(again, shapes);
  FUZZ_CHECK(repeated);
  FUZZ_CHECK(repeated->options == split->options);
  FUZZ_CHECK(repeated->positionals == split->positionals);
}
