#include "cli/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <set>

#include "cli/arguments.h"
#include "cli/command_table.h"
#include "cli/config.h"
#include "cli/context.h"
#include "cli/defaults.h"
#include "cli/exit_status.h"
#include "cli/globals.h"
#include "cli/help.h"
#include "cli/option_model.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

constexpr std::size_t kMaxArguments = 100'000;

/// A descriptor 0, 1 or 2 that was closed would go to the next socket. What is written there then fails, as
/// it should.
void keep_standard_descriptors() {
  for (int fd = 0; fd < 3; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // Opened the wrong way round, so that reading and writing give EBADF.
    const int got = ::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    if (got >= 0 && got != fd) ::close(got);
  }
}

const char* environment(const char* name) { return std::getenv(name); }

/// One invocation, from arguments to status.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments)
      : arguments_(arguments), json_(asks_for_json(arguments, std::getenv("AIOT_OUTPUT"))) {}

  int run() {
    if (arguments_.size() > kMaxArguments)
      return usage("too many arguments; --from FILE reads targets from a file");
    auto word = find_command_word(arguments_, shapes_of(global_options()));
    if (!word) return fail(word.error());
    if (word->version) return print("aiot " AIOT_VERSION "\n");
    if (!word->index && word->help) return print(overview_text());
    if (!word->index) return usage("no command given; 'aiot --help' lists them");

    std::vector<std::string> rest = arguments_;
    const std::string name = rest[*word->index];
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(*word->index));
    if (name == "help") return help_for(rest);
    const CommandRow* row = find_command(name);
    if (row == nullptr) return unknown_command(name);
    return run_command(*row, rest);
  }

 private:
  int fail(const Error& error) {
    report_error(error, {}, json_);
    return exit_status(error.code);
  }
  int usage(std::string message) { return fail(make_error(Errc::usage, std::move(message))); }

  int print(const std::string& text) {
    Output output(STDOUT_FILENO);
    output.write(text);
    return output.state() == Output::State::failed ? fail(output.error()) : static_cast<int>(kDone);
  }

  int unknown_command(const std::string& name) {
    std::vector<std::string_view> names;
    for (const CommandRow& row : command_table()) names.push_back(row.name);
    const std::string near = did_you_mean(name, names);
    return usage(fmt::format("unknown command '{}'{}", text::escape_controls(name),
                             near.empty() ? "; 'aiot --help' lists them" : near));
  }

  int help_for(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
      if (!word.empty() && word[0] == '-') continue;
      const CommandRow* row = find_command(word);
      return row == nullptr ? unknown_command(word) : print(command_help_text(*row));
    }
    return print(overview_text());
  }

  int run_command(const CommandRow& row, const std::vector<std::string>& rest) {
    GlobalOptions globals;
    std::unique_ptr<Command> command = row.make();
    CLI::App app("", std::string(row.name));
    globals.configure(app);
    command->configure(app);
    const std::vector<OptionInfo> options = option_model(app);

    auto split = split_arguments(rest, shapes_of(options));
    if (!split) return fail_usage(row, split.error());
    const auto given = [&](std::string_view name) {
      return std::any_of(split->options.begin(), split->options.end(),
                         [&](const SplitOption& option) { return option.name == name; });
    };
    if (given("--help")) return print(command_help_text(row));
    if (given("--version")) return print("aiot " AIOT_VERSION "\n");
    for (SplitOption& option : split->options) {
      if (option.name == "--json") option = {"--output", "json"};
    }
    std::set<std::string> flags;
    for (const SplitOption& option : split->options) flags.insert(option.name);

    auto config = Config::load(config_file(split->options));
    if (!config) return fail(config.error());
    auto defaults = resolve_defaults(options, split->options, row.name, **config, environment);
    if (!defaults) return fail(defaults.error());
    split->options.insert(split->options.end(), defaults->options.begin(), defaults->options.end());

    if (auto parsed = parse(app, *split, *defaults); !parsed) return fail_usage(row, parsed.error());
    auto settings = globals.settings(command->has_csv(), std::move(flags));
    if (!settings) return fail(settings.error());
    json_ = settings->output == OutputFormat::json;
    return execute(std::move(command), std::move(*settings), std::move(*config));
  }

  static std::string config_file(const std::vector<SplitOption>& options) {
    std::string out;
    if (const char* set = std::getenv("AIOT_CONFIG"); set != nullptr) out = set;
    for (const SplitOption& option : options) {
      if (option.name == "--config") out = option.value.value_or("");
    }
    return out;
  }

  int fail_usage(const CommandRow& row, Error error) {
    if (error.message.find("did you mean") == std::string::npos) {
      error.message += fmt::format("; see 'aiot {} --help'", row.name);
    }
    return fail(error);
  }

  /// Hands CLI11 the arguments in the one form that it cannot misread.
  static Result<void> parse(CLI::App& app, const SplitArguments& split, const Defaults& defaults) {
    std::vector<std::string> canonical;
    for (const SplitOption& option : split.options) {
      canonical.push_back(option.name);
      if (option.value) canonical.push_back(*option.value);
    }
    if (auto placed = place_arguments(app, split.positionals, canonical); !placed) return placed;
    std::reverse(canonical.begin(), canonical.end());
    try {
      app.parse(std::move(canonical));
    } catch (const CLI::ParseError& error) {
      return make_error(Errc::usage, sentence(error, defaults));
    }
    return {};
  }

  /// Gives each positional argument its words, in order; one that repeats takes all that are left.
  static Result<void> place_arguments(const CLI::App& app, const std::vector<std::string>& words,
                                      std::vector<std::string>& out) {
    std::size_t next = 0;
    for (const CLI::Option* option : app.get_options()) {
      if (!option->get_positional()) continue;
      if (next == words.size() && option->get_required()) {
        return make_error(Errc::usage, fmt::format("{} is missing", option->get_name(true)));
      }
      const bool repeats = option->get_items_expected_max() > 1;
      for (bool first = true; next < words.size() && (first || repeats); first = false) {
        out.push_back("--" + option->get_lnames().front());
        out.push_back(words[next++]);
      }
    }
    if (next == words.size()) return {};
    return make_error(Errc::usage,
                      fmt::format("unexpected argument '{}'", text::escape_controls(words[next])));
  }

  /// CLI11's message, with the place where a default came from in place of the option that has it.
  static std::string sentence(const CLI::ParseError& error, const Defaults& defaults) {
    std::string message = error.what();
    if (message.rfind(kArgumentPrefix, 0) == 0) message.erase(0, std::string_view(kArgumentPrefix).size());
    const std::size_t colon = message.find(": ");
    if (colon == std::string::npos) return message;
    const auto origin = defaults.origins.find(message.substr(0, colon));
    if (origin != defaults.origins.end()) message.replace(0, colon, origin->second);
    return message;
  }

  int execute(std::unique_ptr<Command> command, Settings settings, std::unique_ptr<Config> config) {
    Context context(std::move(settings), std::move(config));
    int status = kInternal;
    try {
      status = command->run(context);
    } catch (const CLI::ParseError& error) {
      status = context.fail(make_error(Errc::usage, error.what()));
    } catch (const std::exception& error) {
      status = context.fail(make_error(Errc::internal, error.what()));
    }
    command.reset();
    Output& output = context.output();
    if (context.signal() == 0) output.flush();
    if (output.state() == Output::State::closed) status = kDone;
    if (output.state() == Output::State::failed) status = context.fail(output.error());
    context.close();
    if (context.signal() != 0 && output.state() == Output::State::open) end_by_signal(context.signal());
    return status;
  }

  /// So that the shell sees what ended the command and stops its own loop.
  static void end_by_signal(int signal) {
    std::signal(signal, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    std::raise(signal);
  }

  const std::vector<std::string>& arguments_;
  bool json_;
};

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  keep_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  return Program(arguments).run();
}

}  // namespace aiot::cli
