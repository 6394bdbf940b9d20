#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/present.h"
#include "core/base/text.h"
#include "daemon/wire/key_file.h"

namespace aiot::cli {

namespace {

WallTime now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

class KeysCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "generate|token|show|rotate|retire",
        "Makes and shows the keys with which gateways prove themselves to a broker. The key file is "
        "pyaiot's: "
        "INI with secret and private under [keys].\n\n"
        "generate writes a new key file, readable by its owner alone; it never overwrites one. token prints "
        "a "
        "token made with the keys: with --gateway the one of a native gateway, bound to its name, without it "
        "the one that every pyaiot gateway with this key file uses. show prints the keys.\n\n"
        "rotate makes a new pair and keeps the one before, under [previous]: tokens made with either are "
        "good, so "
        "that gateways can be given new ones one by one (aiot gateways shows who uses which). retire forgets "
        "the "
        "previous pair, and the broker closes what was opened with it. The broker notices both within a "
        "second.\n\n"
        "A broker on loopback makes the file itself when it is missing; elsewhere, generate it, and copy it "
        "to "
        "the gateways or give them tokens.",
        {{"aiot keys generate", "the usual key file"},
         {"aiot keys token --gateway paris > paris.token", "a token for one gateway"},
         {"aiot keys show --key-file /etc/aiot/keys", "what is in it"}},
        {"aiot-serve-broker(8)", "aiot-serve-gateway(8)", "aiot-gateways(1)", "aiot-tokens(1)"}};
  }

  void configure(CLI::App& app) override {
    add_choice(app, "ACTION", action_, "what to do: generate, token, show, rotate or retire",
               {"generate", "token", "show", "rotate", "retire"})
        .required();
    add_text(app, "--key-file", file_, "the key file (default $XDG_CONFIG_HOME/aiot/keys)", "FILE")
        .environment("AIOT_KEY_FILE");
    gateway_option_ = add_text(app, "--gateway", gateway_, "token: the gateway that it is bound to", "NAME");
  }

  int run(Context& context) override {
    // A script's unset variable must not get the token of all pyaiot gateways.
    if (gateway_option_.given() && gateway_.empty())
      return context.fail(make_error(Errc::usage, "--gateway: a name has at least one letter"));
    if (!gateway_.empty() && action_ != "token") {
      return context.fail(
          make_error(Errc::usage, fmt::format("--gateway does not go with keys {}", action_)));
    }
    if (file_.empty()) file_ = wire::default_key_file();
    auto keys = open();
    if (!keys) return context.fail(keys.error());
    if (action_ == "generate" || action_ == "rotate" || action_ == "retire") return changed(context);
    return action_ == "token" ? token(context, *keys) : show(context, *keys);
  }

 private:
  [[nodiscard]] Result<wire::Keys> open() const {
    if (action_ == "generate") return wire::create_key_file(file_);
    if (action_ == "rotate") return wire::rotate_key_file(file_);
    return action_ == "retire" ? wire::retire_key_file(file_) : wire::read_key_file(file_);
  }

  int changed(Context& context) const {
    if (context.json()) {
      context.output().line(fmt::format(R"({{"key_file":{}}})", text::json_string(file_)));
    } else {
      context.output().line(file_);
    }
    return kDone;
  }

  int token(Context& context, const wire::Keys& keys) const {
    auto made =
        gateway_.empty() ? wire::pyaiot_token(keys, now()) : wire::gateway_token(keys, gateway_, now());
    if (!made) return context.fail(made.error());
    if (!context.json()) {
      context.output().line(*made);
      return kDone;
    }
    nlohmann::ordered_json object;
    object["token"] = *made;
    if (!gateway_.empty()) object["gateway"] = gateway_;
    context.output().line(json_line(object));
    return kDone;
  }

  int show(Context& context, const wire::Keys& keys) const {
    if (!context.json()) {
      context.output().write(fmt::format("key_file {}\nsecret   {}\nprivate  {}\n",
                                         text::escape_controls(file_), text::escape_controls(keys.secret),
                                         text::escape_controls(keys.private_key)));
      if (keys.has_previous()) {
        context.output().write(fmt::format("previous secret   {}\nprevious private  {}\n",
                                           text::escape_controls(keys.previous_secret),
                                           text::escape_controls(keys.previous_private_key)));
      }
      return kDone;
    }
    nlohmann::ordered_json object;
    object["key_file"] = file_;
    object["secret"] = keys.secret;
    object["private"] = keys.private_key;
    if (keys.has_previous()) {
      object["previous"] = {{"secret", keys.previous_secret}, {"private", keys.previous_private_key}};
    }
    context.output().line(json_line(object));
    return kDone;
  }

  std::string action_, file_, gateway_;
  OptionHandle gateway_option_;
};

}  // namespace

std::unique_ptr<Command> make_keys_command() { return std::make_unique<KeysCommand>(); }

}  // namespace aiot::cli
