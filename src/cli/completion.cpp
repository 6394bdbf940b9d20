#include "cli/completion.h"

#include <fmt/format.h>

#include <vector>

#include "cli/command_table.h"
#include "cli/option_model.h"

namespace aiot::cli {

namespace {

/// In single quotes for a POSIX shell, bash or zsh.
std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

bool takes_file(const OptionInfo& option) {
  return option.placeholder.rfind("FILE", 0) == 0 || option.placeholder == "DIR";
}

std::vector<std::string> option_names(const OptionInfo& option) {
  std::vector<std::string> out;
  for (const char name : option.shape.short_names) out.push_back(std::string("-") + name);
  for (const std::string& name : option.shape.long_names) out.push_back("--" + name);
  return out;
}

std::vector<std::string> all_option_names(const std::vector<OptionInfo>& options) {
  std::vector<std::string> out;
  for (const OptionInfo& option : options) {
    if (option.positional) continue;
    for (std::string& name : option_names(option)) out.push_back(std::move(name));
  }
  return out;
}

std::vector<std::string> argument_words(const std::vector<OptionInfo>& options) {
  std::vector<std::string> out;
  for (const OptionInfo& option : options) {
    if (option.positional) out.insert(out.end(), option.choices.begin(), option.choices.end());
  }
  return out;
}

std::string command_names() {
  std::string out;
  for (const CommandRow& row : command_table()) out += fmt::format("{}{}", out.empty() ? "" : " ", row.name);
  return out;
}

/// The case branches of bash that complete an option's value: "get:--out".
std::string bash_values(std::string_view command, const OptionInfo& option) {
  std::string pattern;
  for (const std::string& name : option_names(option)) {
    pattern += fmt::format("{}{}:{}", pattern.empty() ? "" : " | ", command, name);
  }
  if (!option.choices.empty()) {
    return fmt::format("    {}) _aiot_words {}; return ;;\n", pattern,
                       single_quoted(fmt::format("{}", fmt::join(option.choices, " "))));
  }
  return fmt::format("    {}) {}return ;;\n", pattern, takes_file(option) ? "_aiot_files; " : "");
}

}  // namespace

std::string bash_completion() {
  const std::vector<OptionInfo> globals = global_options();
  std::string skip;
  for (const OptionInfo& option : globals) {
    if (!option.shape.takes_value) continue;
    for (const std::string& name : option_names(option)) skip += (skip.empty() ? "" : " | ") + name;
  }
  std::string cases = fmt::format("    '') options={} words={} ;;\n",
                                  single_quoted(fmt::format("{}", fmt::join(all_option_names(globals), " "))),
                                  single_quoted(command_names()));
  std::string values;
  for (const OptionInfo& option : globals) {
    if (option.shape.takes_value) values += bash_values("*", option);
  }
  for (const CommandRow& row : command_table()) {
    const std::vector<OptionInfo> options = command_options(row);
    cases += fmt::format("    {}) options={} words={} ;;\n", row.name,
                         single_quoted(fmt::format("{}", fmt::join(all_option_names(options), " "))),
                         single_quoted(fmt::format("{}", fmt::join(argument_words(options), " "))));
    for (const OptionInfo& option : options) {
      if (!option.global && !option.positional && option.shape.takes_value)
        values += bash_values(row.name, option);
    }
  }
  return fmt::format(R"(# bash completion for aiot, made by 'aiot completion bash' from the command table.

_aiot_words() {{ mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }}
_aiot_files() {{ compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); }}

_aiot() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command='' options='' words='' i
  COMPREPLY=()
  # '=' is a word of its own to bash.
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = ]]; then
    prev=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${{COMP_WORDS[i]}} in
      {}) ((i++)); [[ ${{COMP_WORDS[i]}} == = ]] && ((i++)) ;;
      -* | =) ;;
      *) command=${{COMP_WORDS[i]}}; break ;;
    esac
  done
  case $command:$prev in
{}  esac
  case $command in
{}  esac
  if [[ $cur == -* ]]; then
    _aiot_words "$options"
  elif [[ -n $words ]]; then
    _aiot_words "$words"
  elif [[ $cur == @* ]]; then
    cur=${{cur#@}}
    _aiot_files
    COMPREPLY=("${{COMPREPLY[@]/#/@}}")
  fi
}}
complete -F _aiot aiot
)",
                     skip, values, cases);
}

namespace {

/// What _arguments takes for one option: '(-v --verbose)'{-v,--verbose}'[say more]:N:'.
std::string zsh_spec(const OptionInfo& option) {
  std::string help;
  for (const char c : option.help) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') help += '\\';
    help += c;
  }
  std::string value;
  if (option.shape.takes_value) {
    std::string placeholder;
    for (const char c : option.placeholder) {
      if (c == ':' || c == '|') {
        placeholder += ' ';
      } else {
        placeholder += c;
      }
    }
    value = ":" + placeholder + ":";
    if (!option.choices.empty()) {
      value = fmt::format(":{}:({})", option.shape.long_names.front(), fmt::join(option.choices, " "));
    } else if (takes_file(option)) {
      value += option.placeholder == "DIR" ? "_files -/" : "_files";
    }
  }
  const std::vector<std::string> names = option_names(option);
  const std::string rest = single_quoted("[" + help + "]" + value);
  const std::string many = option.repeats ? "'*'" : "";
  if (names.size() == 1)
    return many + single_quoted(names[0]).substr(0, names[0].size() + 1) + rest.substr(1);
  return fmt::format("{}{}{{{}}}{}",
                     option.repeats ? "" : single_quoted(fmt::format("({})", fmt::join(names, " "))), many,
                     fmt::join(names, ","), rest);
}

std::string zsh_arguments(const std::vector<OptionInfo>& options) {
  std::string out;
  for (const OptionInfo& option : options) {
    if (!option.positional) {
      out += "        " + zsh_spec(option) + " \\\n";
    }
  }
  int place = 1;
  for (const OptionInfo& option : options) {
    if (!option.positional) continue;
    const std::string action =
        option.choices.empty() ? std::string() : fmt::format("({})", fmt::join(option.choices, " "));
    const std::string where = option.repeats ? "*" : fmt::format("{}", place++);
    out += fmt::format("        {} \\\n",
                       single_quoted(fmt::format("{}:{}:{}", where, option.placeholder, action)));
  }
  return out.substr(0, out.size() - 3) + "\n";
}

}  // namespace

std::string zsh_completion() {
  std::string globals;
  for (const OptionInfo& option : global_options()) globals += "    " + zsh_spec(option) + " \\\n";
  std::string commands;
  std::string cases;
  for (const CommandRow& row : command_table()) {
    commands += fmt::format("    {}\n", single_quoted(fmt::format("{}:{}", row.name, row.summary)));
    cases += fmt::format("    {})\n      _arguments -s -S \\\n{}      ;;\n", row.name,
                         zsh_arguments(command_options(row)));
  }
  return fmt::format(R"(#compdef aiot
# zsh completion for aiot, made by 'aiot completion zsh' from the command table.

_aiot_commands() {{
  local -a commands=(
{}  )
  _describe -t commands command commands
}}

_aiot() {{
  local curcontext=$curcontext state state_descr line
  local -A opt_args
  _arguments -C -s -S \
{}    '1:command:_aiot_commands' \
    '*::argument:->arguments' && return
  [[ $state == arguments ]] || return
  curcontext="${{curcontext%:*}}-$words[1]:"
  case $words[1] in
{}  esac
}}

if [[ $funcstack[1] == _aiot ]]; then
  _aiot "$@"
else
  compdef _aiot aiot
fi
)",
                     commands, globals, cases);
}

namespace {

std::string fish_option(std::string_view condition, const OptionInfo& option) {
  std::string out = "complete -c aiot";
  if (!condition.empty()) out += fmt::format(" -n {}", fish_quoted(condition));
  for (const char name : option.shape.short_names) out += fmt::format(" -s {}", name);
  for (const std::string& name : option.shape.long_names) out += fmt::format(" -l {}", name);
  if (option.shape.takes_value) {
    if (!option.choices.empty()) {
      out += fmt::format(" -x -a {}", fish_quoted(fmt::format("{}", fmt::join(option.choices, " "))));
    } else {
      out += takes_file(option) ? " -r -F" : " -x";
    }
  }
  return out + fmt::format(" -d {}\n", fish_quoted(option.help));
}

}  // namespace

std::string fish_completion() {
  std::string valued;
  std::string out;
  for (const OptionInfo& option : global_options()) {
    if (option.shape.takes_value) {
      for (const std::string& name : option_names(option)) valued += " " + name;
    }
    out += fish_option("", option);
  }
  for (const CommandRow& row : command_table()) {
    out += fmt::format("complete -c aiot -n 'test -z (__aiot_command)' -a {} -d {}\n", row.name,
                       fish_quoted(row.summary));
  }
  for (const CommandRow& row : command_table()) {
    const std::string condition = fmt::format("test (__aiot_command) = {}", row.name);
    const std::vector<OptionInfo> options = command_options(row);
    for (const OptionInfo& option : options) {
      if (!option.positional && !option.global) out += fish_option(condition, option);
    }
    const std::vector<std::string> words = argument_words(options);
    if (!words.empty()) {
      out += fmt::format("complete -c aiot -n '{}' -a {}\n", condition,
                         fish_quoted(fmt::format("{}", fmt::join(words, " "))));
    }
  }
  return fmt::format(R"(# fish completion for aiot, made by 'aiot completion fish' from the command table.

function __aiot_command
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word{}
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
    echo ''
end

complete -c aiot -f
{})",
                     valued, out);
}

}  // namespace aiot::cli
