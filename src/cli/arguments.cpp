#include "cli/arguments.h"

#include <fmt/format.h>

#include <string_view>

#include "core/base/text.h"

namespace aiot::cli {

namespace {

std::string canonical_name(const OptionShape& shape) {
  if (!shape.long_names.empty()) return "--" + shape.long_names.front();
  return std::string("-") + shape.short_names.front();
}

const OptionShape* find_long(const std::vector<OptionShape>& shapes, std::string_view name) {
  for (const OptionShape& shape : shapes) {
    for (const std::string& candidate : shape.long_names) {
      if (candidate == name) return &shape;
    }
  }
  return nullptr;
}

const OptionShape* find_short(const std::vector<OptionShape>& shapes, char name) {
  for (const OptionShape& shape : shapes) {
    if (shape.short_names.find(name) != std::string::npos) return &shape;
  }
  return nullptr;
}

Error unknown_long(std::string_view name, const std::vector<OptionShape>& shapes) {
  std::vector<std::string_view> names;
  for (const OptionShape& shape : shapes) {
    for (const std::string& candidate : shape.long_names) names.emplace_back(candidate);
  }
  const std::string_view near = text::nearest(name, names);
  return make_error(Errc::usage, fmt::format("unknown option --{}{}", text::escape_controls(name),
                                             near.empty() ? "" : fmt::format("; did you mean --{}?", near)));
}

/// Walks over arguments one option or word at a time.
class Splitter {
 public:
  Splitter(const std::vector<std::string>& arguments, const std::vector<OptionShape>& shapes)
      : arguments_(arguments), shapes_(shapes) {}

  [[nodiscard]] bool done() const { return next_ >= arguments_.size(); }
  [[nodiscard]] std::size_t index() const { return next_; }

  /// Takes the next argument: into `options` what is an option, into `word` what is not.
  Result<void> step(std::vector<SplitOption>& options, std::optional<std::string>& word) {
    const std::string& argument = arguments_[next_++];
    if (ended_ || argument.size() < 2 || argument[0] != '-' || looks_like_number(argument)) {
      word = argument;
      return {};
    }
    if (argument == "--") {
      ended_ = true;
      return {};
    }
    if (argument[1] == '-') return take_long(argument, options);
    return take_short(argument, options);
  }

 private:
  Result<void> take_long(const std::string& argument, std::vector<SplitOption>& options) {
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    const OptionShape* shape = find_long(shapes_, name);
    if (shape == nullptr) return unknown_long(name, shapes_);
    if (!shape->takes_value) {
      if (equals != std::string::npos) {
        return make_error(Errc::usage, fmt::format("option --{} takes no value", name));
      }
      options.push_back({canonical_name(*shape), std::nullopt});
      return {};
    }
    if (equals != std::string::npos) {
      options.push_back({canonical_name(*shape), argument.substr(equals + 1)});
      return {};
    }
    return take_value("--" + name, *shape, options);
  }

  Result<void> take_short(const std::string& argument, std::vector<SplitOption>& options) {
    for (std::size_t i = 1; i < argument.size(); ++i) {
      const OptionShape* shape = find_short(shapes_, argument[i]);
      if (shape == nullptr) {
        const std::string name = text::escape_controls(argument.substr(i, 1));
        // "-timeout" is "--timeout" with a dash too few.
        const std::string word = argument.substr(
            1, argument.find('=') == std::string::npos ? std::string::npos : argument.find('=') - 1);
        const bool long_meant = i == 1 && word.size() > 1 && find_long(shapes_, word) != nullptr;
        return make_error(
            Errc::usage, fmt::format("unknown option -{}{}", name,
                                     long_meant ? fmt::format("; did you mean --{}?", word) : std::string()));
      }
      if (!shape->takes_value) {
        options.push_back({canonical_name(*shape), std::nullopt});
        continue;
      }
      if (i + 1 < argument.size()) {
        options.push_back({canonical_name(*shape), argument.substr(i + 1)});
        return {};
      }
      return take_value(std::string("-") + argument[i], *shape, options);
    }
    return {};
  }

  Result<void> take_value(const std::string& given, const OptionShape& shape,
                          std::vector<SplitOption>& options) {
    if (done()) return make_error(Errc::usage, fmt::format("option {} needs a value", given));
    options.push_back({canonical_name(shape), arguments_[next_++]});
    return {};
  }

  const std::vector<std::string>& arguments_;
  const std::vector<OptionShape>& shapes_;
  std::size_t next_ = 0;
  bool ended_ = false;
};

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string_view near = text::nearest(word, candidates);
  return near.empty() ? std::string() : fmt::format("; did you mean '{}'?", near);
}

bool looks_like_number(const std::string& argument) {
  if (argument.size() < 2 || argument[0] != '-') return false;
  const auto digit = [&](std::size_t at) {
    return at < argument.size() && argument[at] >= '0' && argument[at] <= '9';
  };
  return digit(1) || (argument[1] == '.' && digit(2));
}

Result<SplitArguments> split_arguments(const std::vector<std::string>& arguments,
                                       const std::vector<OptionShape>& shapes) {
  SplitArguments out;
  Splitter splitter(arguments, shapes);
  while (!splitter.done()) {
    std::optional<std::string> word;
    if (auto taken = splitter.step(out.options, word); !taken) return taken.error();
    if (word) out.positionals.push_back(std::move(*word));
  }
  return out;
}

Result<CommandWord> find_command_word(const std::vector<std::string>& arguments,
                                      const std::vector<OptionShape>& global_shapes) {
  CommandWord out;
  std::vector<SplitOption> options;
  Splitter splitter(arguments, global_shapes);
  while (!splitter.done()) {
    std::optional<std::string> word;
    const std::size_t index = splitter.index();
    auto taken = splitter.step(options, word);
    if (!taken) {
      Error error = std::move(taken).error();
      if (error.message.find("unknown option") == 0 &&
          error.message.find("did you mean") == std::string::npos) {
        error.message += "; the options of a command stand after it";
      }
      return error;
    }
    if (word) {
      out.index = index;
      break;
    }
  }
  for (const SplitOption& option : options) {
    if (option.name == "--help") out.help = true;
    if (option.name == "--version") out.version = true;
  }
  return out;
}

bool asks_for_json(const std::vector<std::string>& arguments, const char* environment) {
  bool asked = environment != nullptr && std::string_view(environment) == "json";
  const auto take = [&](std::string_view format) {
    // A format that does not exist leaves the last one.
    if (format == "json" || format == "text" || format == "csv") asked = format == "json";
  };
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--json") take("json");
    if (argument.rfind("--output=", 0) == 0) take(std::string_view(argument).substr(9));
    if (argument == "--output" && i + 1 < arguments.size()) take(arguments[i + 1]);
  }
  return asked;
}

}  // namespace aiot::cli
