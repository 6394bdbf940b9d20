#include "cli/context.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <tuple>

#include "cli/arguments.h"
#include "cli/config.h"
#include "cli/exit_status.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/report.h"
#include "core/base/log.h"
#include "core/base/secret_file.h"
#include "core/base/text.h"
#include "core/client.h"
#include "core/loop/event_loop.h"
#include "core/schemes.h"
#include "core/tls/psk_keys.h"

namespace aiot::cli {

namespace {

/// The key of --psk-file for --psk-identity, or the only one there.
Result<void> read_psk(const PskSettings& settings, bool certificates, ClientOptions& out) {
  const auto bad = [](const std::string& what) { return make_error(Errc::usage, what); };
  if (settings.file.empty())
    return settings.identity.empty() ? Result<void>()
                                     : bad("--psk-identity needs the --psk-file with its key");
  if (certificates) return bad("--psk-file, or --ca, --cert and --key: not both");
  auto keys = tls::read_psk_keys(settings.file);
  if (!keys) return keys.error();
  const std::string file = text::escape_controls(settings.file);
  const auto found = settings.identity.empty() ? keys->begin() : keys->find(settings.identity);
  if (settings.identity.empty() && keys->size() != 1)
    return bad(fmt::format("{} has {} keys: --psk-identity says which", file, keys->size()));
  if (found == keys->end())
    return bad(fmt::format("{} has no key for '{}'", file, text::escape_controls(settings.identity)));
  std::tie(out.psk_identity, out.psk_key) = *found;
  return {};
}

}  // namespace

Context::Context(Settings settings, std::unique_ptr<Config> config)
    : settings_(std::move(settings)), config_(std::move(config)) {
  log::set_format(json() ? log::Format::json : log::Format::text);
  log::set_level(settings_.verbose >= 2   ? log::Level::debug
                 : settings_.verbose == 1 ? log::Level::info
                 : settings_.quiet        ? log::Level::error
                                          : log::Level::warn);
}

Context::~Context() { close(); }

void Context::close() {
  clients_.clear();
  loop_.reset();
}

Output& Context::output() {
  if (!output_) output_ = std::make_unique<Output>(STDOUT_FILENO);
  return *output_;
}

EventLoop& Context::loop() {
  if (!loop_) loop_ = make_uv_loop();
  return *loop_;
}

Result<Client*> Context::client(const std::string& scheme, const std::string& prefix) {
  if (const auto found = clients_.find(scheme + prefix); found != clients_.end()) return found->second.get();
  ClientOptions options;
  if (scheme == "aiot" || scheme == "aiots") {
    auto token = broker_token();
    if (!token) return token.error();
    options.token = *token;
    options.prefix = prefix;
    options.tls = broker_tls();
  }
  if (scheme.rfind("coaps", 0) == 0) {
    options.tls = settings_.tls;
    const bool certificates =
        settings_.has_flag("--ca") || settings_.has_flag("--cert") || settings_.has_flag("--key");
    if (auto key = read_psk(psk_, certificates, options); !key) return key.error();
  }
  if (scheme == "mqtt" || scheme == "mqtts") {
    options.mqtt.user = mqtt_.user;
    options.mqtt.client_id = mqtt_.client_id;
    options.mqtt.tls = {settings_.tls.ca, settings_.tls.cert, settings_.tls.key, {"mqtt"}};
    if (mqtt_.version == "3.1.1") options.mqtt.version = mqtt::Version::v311;
    if (mqtt_.version == "5") options.mqtt.version = mqtt::Version::v5;
    if (!mqtt_.password_file.empty()) {
      if (mqtt_.user.empty()) return make_error(Errc::usage, "--password-file needs --user");
      auto password = read_secret(mqtt_.password_file);
      if (!password) return password.error();
      options.mqtt.password = *password;
    }
  }
  auto made = make_client(loop(), scheme, options);
  if (!made) return made.error();
  return clients_.emplace(scheme + prefix, std::move(*made)).first->second.get();
}

int Context::fail(const Error& error, std::string_view uri) {
  report_error(error, uri, json() || json_on_stderr_);
  return exit_status(error.code);
}

void Context::note(std::string_view sentence) {
  if (settings_.quiet) return;
  if (json() || json_on_stderr_) {
    const auto now =
        std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    write_stderr(fmt::format(R"({{"time":"{}","level":"info","message":{}}})", format_utc(now),
                             text::json_string(sentence)));
  } else {
    write_stderr(fmt::format("aiot: {}", text::escape_controls(sentence)));
  }
}

Result<std::string> Context::broker_url() {
  const std::string& given = settings_.broker;
  if (given.empty() || given.find("://") != std::string::npos) return given;
  if (auto named = config_->broker(given)) return named->url;
  return make_error(Errc::usage,
                    fmt::format("--broker '{}' is neither a URL nor a broker of the configuration{}",
                                text::escape_controls(given), did_you_mean(given, config_->broker_names())));
}

Result<std::string> Context::broker_token() {
  if (!settings_.token_file.empty()) return read_secret(settings_.token_file);
  if (const char* token = std::getenv("AIOT_TOKEN"); token != nullptr && token[0] != '\0') {
    return std::string(text::trim(token));
  }
  if (auto named = config_->broker(settings_.broker); named && !named->token_file.empty()) {
    return read_secret(named->token_file);
  }
  if (const std::string handed = credential_file("token"); !handed.empty()) return read_secret(handed);
  return std::string();
}

tls::ClientFiles Context::broker_tls() const {
  if (!settings_.tls.empty()) return settings_.tls;
  const auto named = config_->broker(settings_.broker);
  return named ? named->tls : tls::ClientFiles();
}

}  // namespace aiot::cli
