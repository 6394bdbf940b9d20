#include "cli/manual.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/command_table.h"
#include "cli/help.h"
#include "cli/option_model.h"

namespace aiot::cli {

namespace {

/// When the pages' wording last changed; fixed, so that they do not differ from build to build.
constexpr const char* kDate = "November 22, 2026";

constexpr std::size_t kSourceWidth = 72;

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

constexpr std::size_t kLongArgument = 60;

/// An argument of a macro line, in quotes where mdoc would take it apart or for a macro.
std::string argument(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"') {
      out += "\\(dq";
    } else if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
      // A choice among many is broken where it must be.
      if (c == '|' && text.size() > kLongArgument) out += "\\:";
    }
  }
  return "\"" + out + "\"";
}

/// Running text on a macro line, whose quotes groff would take away.
std::string shown_line(std::string_view text) {
  std::string out;
  for (const char c : mdoc_text(text)) out += c == '"' ? std::string("\\(dq") : std::string(1, c);
  return out;
}

/// Lines short enough for mandoc's taste; each is made safe by itself.
void append_wrapped(std::string& out, std::string_view sentence) {
  const std::string lines = wrap(sentence, kSourceWidth, 0);
  std::string_view rest = lines;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    out += mdoc_text(line) + "\n";
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
}

/// Running text with each sentence on a line of its own, as mdoc wants it.
void append_prose(std::string& out, std::string_view paragraph) {
  std::string joined(paragraph);
  std::replace(joined.begin(), joined.end(), '\n', ' ');
  std::string_view rest = joined;
  while (!rest.empty()) {
    std::size_t end = rest.find(". ");
    // "e.g. this" and "4.xx" are no ends of sentences; a capital or a quote must follow.
    while (end != std::string_view::npos && end + 2 < rest.size() && rest[end + 2] >= 'a' &&
           rest[end + 2] <= 'z') {
      end = rest.find(". ", end + 1);
    }
    const std::string_view sentence = rest.substr(0, end == std::string_view::npos ? end : end + 1);
    append_wrapped(out, sentence);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  }
}

void append_description(std::string& out, std::string_view description) {
  bool first = true;
  for (const std::string_view paragraph : split_paragraphs(description)) {
    if (!first) out += ".Pp\n";
    first = false;
    if (paragraph.substr(0, 2) == "  ") {
      out += ".Bd -literal -offset indent\n" + mdoc_text(paragraph) + "\n.Ed\n";
    } else {
      append_prose(out, paragraph);
    }
  }
}

void append_item(std::string& out, const OptionInfo& option) {
  if (option.positional) {
    out += ".It Ar " + argument(option.placeholder) + "\n";
  } else {
    out += ".It";
    std::string comma;
    for (const char name : option.shape.short_names) {
      out += fmt::format("{} Fl {}", comma, name);
      comma = " ,";
    }
    for (const std::string& name : option.shape.long_names) {
      out += fmt::format("{} Fl {}", comma, argument("-" + name));
      comma = " ,";
    }
    if (!option.placeholder.empty()) out += " Ar " + argument(option.placeholder);
    out += "\n";
  }
  std::string text = option.help;
  text[0] = static_cast<char>(text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0]);
  append_prose(out, text + ".");
  if (option.repeats && !option.positional) out += "It may be given several times.\n";
  if (!option.environment.empty()) out += "Environment:\n.Ev " + option.environment + " .\n";
}

void append_list(std::string& out, const std::vector<OptionInfo>& options,
                 bool (*belongs)(const OptionInfo&)) {
  if (std::none_of(options.begin(), options.end(), belongs)) return;
  out += ".Bl -tag -width Ds\n";
  for (const OptionInfo& option : options) {
    if (belongs(option)) append_item(out, option);
  }
  out += ".El\n";
}

/// ".Xr aiot-get 1" from "aiot-get(1)".
std::string cross_reference(std::string_view page) {
  const std::size_t open = page.find('(');
  return fmt::format(".Xr {} {}", page.substr(0, open), page.substr(open + 1, 1));
}

/// Sorted by section and name, as mdoc wants it, each once.
std::string see_also(std::vector<std::string_view> pages, std::string_view self) {
  pages.push_back("aiot(1)");
  const auto key = [](std::string_view page) {
    return std::string(1, page[page.size() - 2]) + std::string(page);
  };
  std::sort(pages.begin(), pages.end(),
            [&](std::string_view a, std::string_view b) { return key(a) < key(b); });
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  pages.erase(std::remove(pages.begin(), pages.end(), self), pages.end());
  std::string out;
  for (const std::string_view page : pages) {
    if (!out.empty()) out += " ,\n";
    out += cross_reference(page);
  }
  return out + "\n";
}

void replace_line(std::string& text, std::string_view line, const std::string& with) {
  const std::size_t at = text.find(line);
  if (at != std::string::npos) text.replace(at, line.size() + 1, with);
}

}  // namespace

std::string mdoc_text(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    line_start = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

int manual_section(const CommandRow& row) { return row.group == "Daemons" ? 8 : 1; }

std::string command_manual(const CommandRow& row) {
  const CommandHelp help = row.make()->help();
  const std::vector<OptionInfo> options = command_options(row);
  std::string out =
      fmt::format(".\\\" Made from the command table; do not edit.\n.Dd {}\n.Dt AIOT-{} {}\n.Os\n", kDate,
                  upper(row.name), manual_section(row));
  out += fmt::format(".Sh NAME\n.Nm aiot-{}\n.Nd {}\n", row.name, row.summary);
  out += fmt::format(".Sh SYNOPSIS\n.Nm aiot {}\n.Op Ar OPTIONS\n", row.name);
  if (!help.synopsis.empty()) out += ".Ar " + argument(help.synopsis) + "\n";
  out += ".Sh DESCRIPTION\n";
  append_description(out, help.description);
  if (std::any_of(options.begin(), options.end(),
                  [](const OptionInfo& option) { return option.positional; })) {
    out += ".Pp\nThe arguments are:\n";
    append_list(out, options, [](const OptionInfo& option) { return option.positional; });
  }
  const auto own = [](const OptionInfo& option) { return !option.positional && !option.global; };
  if (std::any_of(options.begin(), options.end(), own)) {
    out += ".Pp\nThe options are:\n";
    append_list(out, options, own);
  }
  out += ".Pp\nThe global options\n";
  std::string comma;
  for (const OptionInfo& option : options) {
    if (!option.global) continue;
    out += comma + ".Fl " + argument("-" + option.shape.long_names.front());
    comma = " ,\n";
  }
  out += "\nare described in\n.Xr aiot 1 .\n";
  out += ".Sh EXIT STATUS\nAs described in\n.Xr aiot 1 .\n";
  if (!help.examples.empty()) {
    out += ".Sh EXAMPLES\n";
    for (const CommandHelp::Example& example : help.examples) {
      std::string what(example.what);
      what[0] = static_cast<char>(what[0] >= 'a' && what[0] <= 'z' ? what[0] - 'a' + 'A' : what[0]);
      if (out.compare(out.size() - 13, 13, ".Sh EXAMPLES\n") != 0) out += ".Pp\n";
      out += mdoc_text(what) + ":\n.Pp\n.Dl " + shown_line(example.command) + "\n";
    }
  }
  out +=
      ".Sh SEE ALSO\n" + see_also(help.see_also, fmt::format("aiot-{}({})", row.name, manual_section(row)));
  return out;
}

std::string overview_manual(std::string_view frame) {
  std::string out(frame);
  std::string commands = ".Bl -tag -width serve-gateway\n";
  for (const CommandRow& row : command_table()) {
    std::string summary(row.summary);
    summary[0] = static_cast<char>(summary[0] - 'a' + 'A');
    commands += fmt::format(".It Cm {}\n{};\nsee\n.Xr aiot-{} {} .\n", argument(row.name), mdoc_text(summary),
                            row.name, manual_section(row));
  }
  commands += ".El\n";
  replace_line(out, "@COMMANDS@", commands);
  std::string globals;
  append_list(globals, global_options(), [](const OptionInfo&) { return true; });
  replace_line(out, "@GLOBAL_OPTIONS@", globals);
  return out;
}

}  // namespace aiot::cli
