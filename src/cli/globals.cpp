#include "cli/globals.h"

#include "cli/options.h"

namespace aiot::cli {

void GlobalOptions::configure(CLI::App& app) {
  remove_help_flag(app);
  const auto global = [](OptionHandle option) { return option.global(); };
  global(add_flag(app, "--json", ignored_, "print JSON, one object a line; the same as --output json"));
  global(add_choice(app, "--output", output_, "output format; csv for get, observe and nodes (default text)",
                    {"text", "json", "csv"}))
      .environment("AIOT_OUTPUT");
  global(add_duration(app, "--timeout", settings_.timeout, "deadline for each target (default 10s)"))
      .environment("AIOT_TIMEOUT");
  global(
      add_text(app, "--broker", settings_.broker,
               "broker that a bare UID/RESOURCE goes through: a ws, wss, http, https, aiot or aiots URL or a "
               "name from the configuration",
               "URL"))
      .environment("AIOT_BROKER");
  global(add_text(app, "--token-file", settings_.token_file,
                  "file with the token for the broker (or the token itself in AIOT_TOKEN)", "FILE"))
      .environment("AIOT_TOKEN_FILE");
  global(add_text(app, "--ca", settings_.tls.ca,
                  "TLS: file with the certificate authorities to trust, PEM (default: the system's)", "FILE"))
      .environment("AIOT_CA");
  global(add_text(app, "--cert", settings_.tls.cert, "TLS: the client certificate to show, PEM", "FILE"))
      .environment("AIOT_CERT");
  global(add_text(app, "--key", settings_.tls.key,
                  "TLS: its private key, PEM (default: in the file of --cert)", "FILE"))
      .environment("AIOT_KEY");
  global(add_text(app, "--config", settings_.config_file,
                  "configuration file to read instead of the usual ones", "FILE"))
      .environment("AIOT_CONFIG");
  global(add_counter(app, "-v,--verbose", settings_.verbose,
                     "say more on stderr; twice for everything, protocol details included"));
  global(add_flag(app, "--quiet", settings_.quiet, "say nothing on stderr but errors"));
  global(add_flag(app, "--version", ignored_, "print the version"));
  global(add_flag(app, "-h,--help", ignored_, "print this help"));
}

Result<Settings> GlobalOptions::settings(bool has_csv, std::set<std::string> flags) const {
  Settings out = settings_;
  out.flags = std::move(flags);
  if (output_ == "json") out.output = OutputFormat::json;
  if (output_ == "csv") {
    if (has_csv) {
      out.output = OutputFormat::csv;
    } else if (out.has_flag("--output")) {
      return make_error(Errc::usage, "this command has no CSV output; --output text or json");
    }
  }
  if (out.timeout <= Duration::zero()) return make_error(Errc::usage, "--timeout must be longer than 0");
  return out;
}

}  // namespace aiot::cli
