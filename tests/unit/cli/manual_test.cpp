#include "cli/manual.h"

#include <catch2/catch.hpp>
#include <set>

#include "cli/command_table.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/option_model.h"

using namespace aiot::cli;

TEST_CASE("every command describes itself, its options and how to use it") {
  for (const CommandRow& row : command_table()) {
    CAPTURE(row.name);
    const CommandHelp help = row.make()->help();
    CHECK_FALSE(help.description.empty());
    CHECK_FALSE(help.examples.empty());
    CHECK(row.summary.back() != '.');
    std::set<std::string> names;
    for (const OptionInfo& option : command_options(row)) {
      CHECK_FALSE(option.help.empty());
      CHECK(option.help.back() != '.');
      for (const std::string& name : option.shape.long_names) CHECK(names.insert("--" + name).second);
      for (const char name : option.shape.short_names) CHECK(names.insert(std::string("-") + name).second);
    }
    const std::string text = command_help_text(row);
    CHECK(text.rfind("usage: aiot " + std::string(row.name), 0) == 0);
    for (const std::string& name : names) CHECK(text.find(name) != std::string::npos);
    CHECK(overview_text().find(std::string(row.name)) != std::string::npos);
    for (const std::string& script : {bash_completion(), zsh_completion(), fish_completion()}) {
      CHECK(script.find(std::string(row.name)) != std::string::npos);
    }
  }
}

TEST_CASE("text is wrapped between words") {
  CHECK(wrap("one two three", 7, 2) == "one two\n  three");
  CHECK(wrap("overlongword x", 4, 0) == "overlongword\nx");
  CHECK(wrap("a\nb  c", 80, 0) == "a b c");
  CHECK(wrap("", 80, 0).empty());
}

TEST_CASE("help names the page with its section, whose examples keep their quotes") {
  CHECK(command_help_text(*find_command("serve-broker")).find("aiot-serve-broker(8)") != std::string::npos);
  // On a macro line mdoc takes them away.
  CHECK(command_manual(*find_command("doctor")).find("\\(dqfailed\\(dq") != std::string::npos);
}

TEST_CASE("manual text cannot be taken for a macro") {
  CHECK(mdoc_text(".Sh x") == "\\&.Sh x");
  CHECK(mdoc_text("a\n'b \\x --y") == "a\n\\&'b \\ex \\-\\-y");
}
