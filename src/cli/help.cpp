#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/command_table.h"
#include "cli/manual.h"
#include "cli/option_model.h"

namespace aiot::cli {

namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kOptionColumn = 28;

/// "-v, --verbose" or "    --count N".
std::string option_head(const OptionInfo& option) {
  std::string out;
  for (const char name : option.shape.short_names) out += fmt::format("-{}, ", name);
  if (out.empty()) out = "    ";
  if (!option.shape.long_names.empty()) {
    out += "--" + option.shape.long_names.front();
  } else {
    out.resize(out.size() - 2);
  }
  if (!option.placeholder.empty()) out += " " + option.placeholder;
  return out;
}

void append_entry(std::string& out, const std::string& head, const std::string& text) {
  out += "  " + head;
  const std::size_t used = head.size() + 2;
  if (used + 2 > kOptionColumn) {
    out += "\n" + std::string(kOptionColumn, ' ');
  } else {
    out += std::string(kOptionColumn - used, ' ');
  }
  out += wrap(text, kWidth - kOptionColumn, kOptionColumn) + "\n";
}

void append_options(std::string& out, std::string_view heading, const std::vector<OptionInfo>& options,
                    bool (*belongs)(const OptionInfo&)) {
  bool any = false;
  for (const OptionInfo& option : options) {
    if (!belongs(option)) continue;
    if (!any) out += fmt::format("\n{}:\n", heading);
    any = true;
    std::string text = option.help;
    if (option.repeats && !option.positional) text += "; may be given several times";
    if (!option.environment.empty()) text += fmt::format(" [{}]", option.environment);
    append_entry(out, option.positional ? option.placeholder : option_head(option), text);
  }
}

}  // namespace

std::string wrap(std::string_view content, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  constexpr std::string_view kSpace = " \n";
  while (!content.empty()) {
    const std::string_view word = content.substr(0, content.find_first_of(kSpace));
    content.remove_prefix(std::min(content.size(), word.size() + 1));
    if (word.empty()) continue;
    if (column > 0 && column + 1 + word.size() > width) {
      out += "\n" + std::string(indent, ' ');
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

std::string usage_line(const CommandRow& row) {
  const std::string_view synopsis = row.make()->help().synopsis;
  return fmt::format("usage: aiot {} [OPTIONS]{}{}", row.name, synopsis.empty() ? "" : " ", synopsis);
}

std::string overview_text() {
  std::string out =
      "aiot queries, controls and connects constrained devices.\n\n"
      "usage: aiot [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]\n";
  std::string_view group;
  for (const CommandRow& row : command_table()) {
    if (row.group != group) out += fmt::format("\n{}:\n", row.group);
    group = row.group;
    out += fmt::format("  {:<16}{}\n", row.name, row.summary);
  }
  append_options(out, "Global options (they may stand anywhere)", global_options(),
                 [](const OptionInfo&) { return true; });
  out +=
      "\nExamples:\n"
      "  aiot discover                                  what is there?\n"
      "  aiot get coap://[fd00::1]/temperature          read a value\n"
      "  aiot put coap://[fd00::1]/led 1                write one\n"
      "  aiot observe coap://[fd00::1]/temperature      follow it\n"
      "  aiot demo                                      try everything without a device\n"
      "\n'aiot COMMAND --help' and aiot-COMMAND(1) describe each command; aiot-uri(7) URIs and VALUEs,\n"
      "aiot-json(7) the output, aiot.toml(5) the configuration.\n";
  return out;
}

std::string command_help_text(const CommandRow& row) {
  const CommandHelp help = row.make()->help();
  const std::vector<OptionInfo> options = command_options(row);
  std::string out = usage_line(row) + "\n\n";
  for (std::string_view paragraph : split_paragraphs(help.description)) {
    if (paragraph.substr(0, 2) == "  ") {
      out += std::string(paragraph) + "\n\n";
    } else {
      out += wrap(paragraph, kWidth, 0) + "\n\n";
    }
  }
  out.pop_back();
  append_options(out, "Arguments", options, [](const OptionInfo& option) { return option.positional; });
  append_options(out, "Options", options,
                 [](const OptionInfo& option) { return !option.positional && !option.global; });
  append_options(out, "Global options", options, [](const OptionInfo& option) { return option.global; });
  if (!help.examples.empty()) {
    out += "\nExamples:\n";
    for (const CommandHelp::Example& example : help.examples) {
      out += fmt::format("  {}\n      {}\n", example.command, example.what);
    }
  }
  out += fmt::format("\nSee also: aiot(1), aiot-{}({})", row.name, manual_section(row));
  for (const std::string_view page : help.see_also) out += fmt::format(", {}", page);
  out += "\n";
  return out;
}

std::vector<std::string_view> split_paragraphs(std::string_view description) {
  std::vector<std::string_view> out;
  while (!description.empty()) {
    const std::size_t end = description.find("\n\n");
    const std::string_view paragraph = description.substr(0, end);
    if (!paragraph.empty()) out.push_back(paragraph);
    if (end == std::string_view::npos) break;
    description.remove_prefix(end + 2);
  }
  return out;
}

}  // namespace aiot::cli
