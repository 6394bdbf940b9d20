#include "cli/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "cli/arguments.h"
#include "cli/globals.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

using Results = std::vector<std::string>;

/// CLI11 would split "[a,b]" among positional arguments; program.cpp hands them over as options of this name.
std::string argument_flag(const std::string& name) {
  std::string out = kArgumentPrefix;
  for (const char c : name) {
    if ((c < 'A' || c > 'Z') && (c < 'a' || c > 'z')) break;
    out += c;
  }
  return out;
}

/// Adds an option whose raw results go to `set`: CLI11's own conversions would take "{}" for an empty list.
/// `set` throws CLI::ValidationError for a bad value.
template <class F>
CLI::Option* bind_option(CLI::App& app, const std::string& names, const std::string& help,
                         const std::string& placeholder, F set) {
  auto slot = std::make_shared<CLI::Option*>(nullptr);
  CLI::Option* option = app.add_option(
      names.front() == '-' ? names : names + "," + argument_flag(names),
      [slot, set](const CLI::results_t& /*reduced*/) {
        set(**slot, static_cast<const CLI::Option*>(*slot)->results());
        return true;
      },
      help);
  *slot = option;
  option->type_name(placeholder)->type_size(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return option;
}

[[noreturn]] void refuse(const CLI::Option& option, const std::string& why) {
  throw CLI::ValidationError(option.get_name(), why);
}

CLI::Option* many(CLI::Option* option) {
  return option->expected(1, CLI::detail::expected_max_vector_size)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

Duration to_duration(const CLI::Option& option, const std::string& text) {
  auto parsed = parse_duration(text);
  if (!parsed) refuse(option, parsed.error().message);
  return *parsed;
}

}  // namespace

OptionHandle& OptionHandle::environment(const std::string& variable) {
  option_->envname(variable);
  return *this;
}

OptionHandle& OptionHandle::required(bool required) {
  option_->required(required);
  return *this;
}

OptionHandle& OptionHandle::check(Result<void> (*judge)(const std::string& value)) {
  option_->check(
      [judge](const std::string& value) {
        const auto good = judge(value);
        return good ? std::string() : good.error().message;
      },
      "");
  return *this;
}

OptionHandle& OptionHandle::global() {
  option_->group(kGlobalGroup);
  return *this;
}

bool OptionHandle::given() const { return option_ != nullptr && option_->count() > 0; }

void remove_help_flag(CLI::App& app) { app.set_help_flag(); }

OptionHandle add_counter(CLI::App& app, const std::string& names, int& value, const std::string& help) {
  return app.add_flag(names, value, help);
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::Option* option : app.get_options()) out.push_back(option->get_name());
  return out;
}

OptionHandle add_text(CLI::App& app, const std::string& names, std::string& value, const std::string& help,
                      const std::string& placeholder) {
  return bind_option(app, names, help, placeholder,
                     [&value](const CLI::Option&, const Results& results) { value = results.back(); });
}

OptionHandle add_texts(CLI::App& app, const std::string& names, std::vector<std::string>& values,
                       const std::string& help, const std::string& placeholder) {
  return many(bind_option(app, names, help, placeholder,
                          [&values](const CLI::Option&, const Results& results) { values = results; }));
}

OptionHandle add_flag(CLI::App& app, const std::string& names, bool& value, const std::string& help) {
  return app.add_flag(names, value, help)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

OptionHandle add_duration(CLI::App& app, const std::string& names, Duration& value, const std::string& help) {
  return bind_option(app, names, help, "DURATION",
                     [&value](const CLI::Option& option, const Results& results) {
                       value = to_duration(option, results.back());
                     });
}

OptionHandle add_duration(CLI::App& app, const std::string& names, std::optional<Duration>& value,
                          const std::string& help) {
  return bind_option(app, names, help, "DURATION",
                     [&value](const CLI::Option& option, const Results& results) {
                       value = to_duration(option, results.back());
                     });
}

OptionHandle add_number(CLI::App& app, const std::string& names, std::size_t& value, const std::string& help,
                        std::size_t least, std::size_t most) {
  return bind_option(
      app, names, help, "N", [&value, least, most](const CLI::Option& option, const Results& results) {
        const std::string& text = results.back();
        std::size_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < least ||
            number > most) {
          refuse(option, fmt::format("'{}' is not a whole number from {} to {}", text::escape_controls(text),
                                     least, most));
        }
        value = number;
      });
}

OptionHandle add_size(CLI::App& app, const std::string& names, std::uint64_t& value, const std::string& help,
                      std::uint64_t least) {
  return bind_option(
      app, names, help, "SIZE", [&value, least](const CLI::Option& option, const Results& results) {
        static constexpr std::string_view kUnits = "KMGT";
        const std::string& text = results.back();
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
        const auto power = unit.empty() ? 0 : kUnits.find(unit) + 1;
        const bool is_unit = unit.size() <= 1 && power <= kUnits.size();
        constexpr std::uint64_t kMost = 1ULL << 50U;
        if (text.empty() || error != std::errc() || !is_unit || number > kMost >> (10 * power) ||
            number << (10 * power) < least) {
          refuse(option, fmt::format("'{}' is not a size of at least {} bytes, as 500M or 2G",
                                     text::escape_controls(text), least));
        }
        value = number << (10 * power);
      });
}

OptionHandle add_address(CLI::App& app, const std::string& names, std::optional<SocketAddress>& value,
                         const std::string& help, std::uint16_t default_port, bool may_be_off) {
  return bind_option(app, names, help, may_be_off ? "ADDRESS:PORT|off" : "ADDRESS:PORT",
                     [&value, default_port, may_be_off](const CLI::Option& option, const Results& results) {
                       if (may_be_off && results.back() == "off") {
                         value.reset();
                         return;
                       }
                       auto parsed = SocketAddress::parse(results.back(), default_port);
                       if (!parsed) refuse(option, parsed.error().message);
                       value = *parsed;
                     });
}

OptionHandle add_choice(CLI::App& app, const std::string& names, std::string& value, const std::string& help,
                        const std::vector<std::string>& words) {
  return bind_option(app, names, help, fmt::format("={}", fmt::join(words, "|")),
                     [&value, words](const CLI::Option& option, const Results& results) {
                       const std::string& word = results.back();
                       if (std::find(words.begin(), words.end(), word) == words.end()) {
                         refuse(option, fmt::format("'{}' is not one of {}{}", text::escape_controls(word),
                                                    fmt::join(words, ", "),
                                                    did_you_mean(word, {words.begin(), words.end()})));
                       }
                       value = word;
                     });
}

OptionHandle add_argument(CLI::App& app, const std::string& name, std::string& value, const std::string& help,
                          bool required) {
  return add_text(app, name, value, help, "").required(required);
}

OptionHandle add_arguments(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                           const std::string& help, bool required) {
  return add_texts(app, name, values, help, "").required(required);
}

}  // namespace aiot::cli
