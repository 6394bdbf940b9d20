#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/base/time.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

/// The kinds of options that commands share. Names are CLI11's ("-n,--count"). Bad values are refused with a
/// sentence, exit 2. An option may also be set in the configuration's `[COMMAND]` table by its long name.
namespace aiot::cli {

/// An option of an app, to be refined; valid as long as the app. CLI11's header stays out of the commands.
class OptionHandle {
 public:
  OptionHandle() = default;
  OptionHandle(CLI::Option* option) : option_(option) {}
  /// The environment variable that sets it when no flag does.
  OptionHandle& environment(const std::string& variable);
  OptionHandle& required(bool required = true);
  /// Each value has to be one that `judge` takes; its sentence says why not. `config check` asks it too.
  OptionHandle& check(Result<void> (*judge)(const std::string& value));
  /// Puts it among the global options.
  OptionHandle& global();
  /// It was given, by flag, environment or configuration. After parsing.
  [[nodiscard]] bool given() const;

 private:
  CLI::Option* option_ = nullptr;
};

/// For OptionHandle::check(): what `Parse`, which gives a Result, says of a text.
template <auto Parse>
Result<void> parses(const std::string& text) {
  auto parsed = Parse(text);
  return parsed ? Result<void>() : parsed.error();
}

/// Positional arguments have, beside their own name, an option of this prefix: "URI" is "--argument-URI" too.
inline constexpr const char* kArgumentPrefix = "--argument-";

/// Takes CLI11's own help flag away.
void remove_help_flag(CLI::App& app);
/// Of all options so far, in order: "--name".
[[nodiscard]] std::vector<std::string> option_names(const CLI::App& app);

OptionHandle add_text(CLI::App& app, const std::string& names, std::string& value, const std::string& help,
                      const std::string& placeholder);
/// May be given several times.
OptionHandle add_texts(CLI::App& app, const std::string& names, std::vector<std::string>& values,
                       const std::string& help, const std::string& placeholder);
OptionHandle add_flag(CLI::App& app, const std::string& names, bool& value, const std::string& help);
/// A flag that counts how often it is given.
OptionHandle add_counter(CLI::App& app, const std::string& names, int& value, const std::string& help);
/// parse_duration()'s forms; placeholder DURATION.
OptionHandle add_duration(CLI::App& app, const std::string& names, Duration& value, const std::string& help);
OptionHandle add_duration(CLI::App& app, const std::string& names, std::optional<Duration>& value,
                          const std::string& help);
/// A whole number from `least` to `most`; placeholder N.
OptionHandle add_number(CLI::App& app, const std::string& names, std::size_t& value, const std::string& help,
                        std::size_t least, std::size_t most);
/// Bytes: a whole number, with K, M, G or T of 1,024 each; at least `least`; placeholder SIZE.
OptionHandle add_size(CLI::App& app, const std::string& names, std::uint64_t& value, const std::string& help,
                      std::uint64_t least);
/// "ADDRESS:PORT"; `off` gives nothing when `may_be_off`; placeholder ADDRESS:PORT.
OptionHandle add_address(CLI::App& app, const std::string& names, std::optional<SocketAddress>& value,
                         const std::string& help, std::uint16_t default_port, bool may_be_off);
/// One of `words`.
OptionHandle add_choice(CLI::App& app, const std::string& names, std::string& value, const std::string& help,
                        const std::vector<std::string>& words);
/// A positional argument, for instance "URI"; not split, not reinterpreted.
OptionHandle add_argument(CLI::App& app, const std::string& name, std::string& value, const std::string& help,
                          bool required);
OptionHandle add_arguments(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                           const std::string& help, bool required);

}  // namespace aiot::cli
