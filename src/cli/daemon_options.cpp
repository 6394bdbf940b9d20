#include "cli/daemon_options.h"

#include <fmt/format.h>

#include <cstdlib>
#include <tuple>
#include <utility>

#include "cli/context.h"
#include "cli/files.h"
#include "cli/options.h"
#include "core/base/folders.h"
#include "core/base/log.h"
#include "core/base/secret_file.h"
#include "core/base/text.h"
#include "daemon/wire/key_file.h"

namespace aiot::cli {

namespace {

constexpr std::uint16_t kBrokerPort = 8000;

/// What browsers send as Origin (RFC 6454 section 6.2); pages from a file send "null". A slash may follow.
Result<void> check_origin(const std::string& text) {
  if (text == "null" || text == "*") return {};
  const std::size_t host = text.find("://") + 3, end = text.find_last_not_of('/');
  if (text.find("://") != std::string::npos && host > 3 && end != std::string::npos && end >= host &&
      text.substr(host, end + 1 - host).find_first_of("/ @?#") == std::string::npos)
    return {};
  return make_error(Errc::usage,
                    fmt::format("'{}' is no origin, such as https://iot.example or http://h:8080",
                                text::escape_controls(text)));
}

}  // namespace

Result<void> check_network(const std::string& cidr) {
  auto parsed = Networks::parse({cidr}, {});
  return parsed ? Result<void>() : parsed.error();
}

void DaemonOptions::add_common(CLI::App& app) {
  add_text(app, "--key-file", key_file_, "key file (default $XDG_CONFIG_HOME/aiot/keys)", "FILE")
      .environment("AIOT_KEY_FILE");
  add_text(app, "--state-dir", state_dir_,
           "where state is kept (default $STATE_DIRECTORY, else $XDG_STATE_HOME/aiot); off: nothing is",
           "DIR|off")
      .environment("AIOT_STATE_DIR");
  add_choice(app, "--log-format", log_format_, "format of stderr, the ready line included (default text)",
             {"text", "json"});
}

void DaemonOptions::add_broker(CLI::App& app) {
  add_address(app, "--listen", listen_,
              "address of the broker's one port (default 127.0.0.1:8000; port 0 picks one)", kBrokerPort,
              false);
  add_texts(app, "--allow-origin", allow_origins_,
            "accept browsers' WebSockets and writes from this origin, beside those of pages opened by IP "
            "address, as localhost or by the machine's host name; the dashboard behind a proxy needs it",
            "ORIGIN")
      .check(check_origin);
  access_.add(app);
  add_duration(app, "--retention", retention_,
               "how long history and events are kept; 0: for ever (default 30d)");
  add_duration(app, "--forget-out", forget_out_, "forget a node that is out for this long (default never)");
  add_size(app, "--retention-size", retention_bytes_,
           "bound of the history on disk, oldest out (default none)", 16UL * 1024 * 1024);
  add_text(app, "--tls-cert", tls_cert_,
           "speak https and wss alone, with this certificate and its chain, PEM; SIGHUP reads it again",
           "FILE")
      .environment("AIOT_TLS_CERT");
  add_text(app, "--tls-key", tls_key_, "its private key, PEM (default: in the file of --tls-cert)", "FILE")
      .environment("AIOT_TLS_KEY");
  add_texts(app, "--trusted-proxy", trusted_proxies_,
            "believe what a reverse proxy of this network says of its clients (X-Forwarded-For, -Proto and "
            "-Host, Forwarded)",
            "CIDR")
      .check(check_network);
  add_duration(app, "--hsts", hsts_,
               "over TLS, how long browsers keep to https with this host (HSTS; default 365d; 0: not told)");
  add_text(app, "--title", site_.title, "what the dashboard is called (default aiot)", "TEXT");
  add_text(app, "--logo", logo_, "picture beside the dashboard's title", "FILE");
  add_text(app, "--favicon", favicon_, "picture of the dashboard's tab", "FILE");
  add_text(app, "--camera", site_.camera,
           "picture that the dashboard shows and loads again from time to time, or a stream of them (MJPEG)",
           "URL")
      .check(parses<broker::picture_origin>);
  add_text(
      app, "--map-tiles", site_.tiles,
      "tiles of the dashboard's map, with {z}, {x} and {y} in the address; without them nothing is fetched",
      "URL")
      .check(parses<broker::picture_origin>);
  add_text(app, "--map-attribution", site_.attribution, "whose map it is, shown on it", "TEXT");
  add_texts(app, "--allow-images", site_.images,
            "let the dashboard load pictures from this origin, beside those of --camera and --map-tiles",
            "ORIGIN")
      .check(parses<broker::picture_origin>);
  limits_.add(app);
}

void DaemonOptions::set_up_log(Context& context) const {
  if (log_format_ == "json") context.use_json_on_stderr();
  log::set_format(log_format_ == "json" || context.json() ? log::Format::json : log::Format::text);
  if (context.settings().verbose == 0 && !context.settings().quiet) log::set_level(log::Level::info);
}

Result<std::string> DaemonOptions::state_dir() const {
  if (state_dir_ == "off") return std::string();
  auto dir = find_state_dir(state_dir_);
  if (!dir) return dir;
  auto made = make_private_folders(*dir);
  if (!made) return made.error();
  return dir;
}

std::string DaemonOptions::key_file() const {
  if (!key_file_.empty()) return key_file_;
  const std::string handed = credential_file("keys");
  return handed.empty() ? wire::default_key_file() : handed;
}

Result<broker::SiteOptions> DaemonOptions::site_options() const {
  broker::SiteOptions out = site_;
  for (const auto& [name, file, picture] :
       {std::tuple{"--logo", &logo_, &out.logo}, std::tuple{"--favicon", &favicon_, &out.favicon}}) {
    if (file->empty()) continue;
    auto bytes = read_file(*file, broker::kMaxPicture);
    if (!bytes) return bytes.error();
    auto made = broker::make_picture(std::move(*bytes));
    if (!made) return make_error(Errc::usage, fmt::format("{}: {} {}", name, *file, made.error().message));
    *picture = std::move(*made);
  }
  return out;
}

Result<broker::Options> DaemonOptions::broker_options() const {
  broker::Options out;
  if (listen_) {
    out.listen = *listen_;
  } else {
    auto address = SocketAddress::parse(fmt::format("127.0.0.1:{}", kBrokerPort));
    if (!address) return address.error();
    out.listen = *address;
  }
  out.key_file = key_file();
  auto access = access_.options(state_dir_);
  if (!access) return access.error();
  out.access = std::move(*access);
  auto dir = state_dir();
  if (!dir) return dir.error();
  out.state_dir = *dir;
  out.retention = retention_;
  out.forget_out = forget_out_;
  out.retention_bytes = retention_bytes_;
  out.allow_origins = allow_origins_;
  if (tls_cert_.empty() && !tls_key_.empty())
    return make_error(Errc::usage, "--tls-key needs the --tls-cert that it belongs to");
  out.tls_cert = tls_cert_;
  out.tls_key = tls_key_;
  auto proxies = Networks::parse(trusted_proxies_, "--trusted-proxy");
  if (!proxies) return proxies.error();
  out.trusted_proxies = std::move(*proxies);
  // What it passes on comes from anywhere.
  out.access.proxied = !out.trusted_proxies.empty();
  out.strict_transport = hsts_;
  auto site = site_options();
  if (!site) return site.error();
  out.site = std::move(*site);
  limits_.fill(out);
  return out;
}

}  // namespace aiot::cli
