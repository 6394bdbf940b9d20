#include "cli/request_options.h"

#include <fmt/format.h>

#include "cli/context.h"
#include "cli/options.h"
#include "core/base/text.h"
#include "core/codec/content_format.h"

namespace aiot::cli {

namespace {

constexpr std::size_t kMaxParallel = 1024;
constexpr std::size_t kMaxEtag = 8;  // RFC 7252 section 5.10.6

Result<std::optional<std::uint16_t>> format_option(const char* name, const std::string& text) {
  if (text.empty()) return std::optional<std::uint16_t>();
  auto parsed = parse_content_format(text);
  if (!parsed) return make_error(Errc::usage, fmt::format("{}: {}", name, parsed.error().message));
  return std::optional<std::uint16_t>(*parsed);
}

/// An ETag in hex, as results show it; "" is the empty one, "any existing" (RFC 7252 section 5.10.8.1).
Result<std::string> etag_option(const std::string& text) {
  const auto digit = [](char c) {
    const char low = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    return low >= '0' && low <= '9' ? low - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
  };
  std::string_view rest = text;
  if (rest.substr(0, 2) == "0x") rest.remove_prefix(2);
  std::string out;
  bool good = rest.size() % 2 == 0 && rest.size() <= 2 * kMaxEtag;
  for (std::size_t i = 0; good && i < rest.size(); i += 2) {
    const int high = digit(rest[i]);
    const int low = digit(rest[i + 1]);
    good = high >= 0 && low >= 0;
    out += static_cast<char>(high * 16 + low);
  }
  if (good) return out;
  return make_error(Errc::usage,
                    fmt::format("--if-match: '{}' is not an ETag: up to {} bytes in hex, as results "
                                "show them",
                                text::escape_controls(text), kMaxEtag));
}

}  // namespace

void RequestOptions::add_reading(CLI::App& app) {
  add_text(app, "--accept", accept_,
           "CoAP: content format wanted: text, json, cbor, senml+json, a media type or number", "FORMAT");
  add_choice(app, "--parse", parse_, "read payloads as JSON even where none is declared", {"json"});
  add_flag(app, "--stale", stale_, "through a broker: take the last value of a node that is not live");
  add_flag(app, "--live", live_,
           "through a broker: read the device itself instead of the broker's last value");
  add_duration(app, "--max-age", max_age_, "through a broker: refuse a value older than this (exit 4)");
}

void RequestOptions::add_writing(CLI::App& app) {
  add_text(app, "--content-format", content_format_,
           "what VALUE is: text, json, cbor, senml+json, octet-stream, a media type or number", "FORMAT");
  add_text(app, "--accept", accept_, "CoAP: content format wanted for the answer", "FORMAT");
  add_texts(app, "--if-match", if_match_,
            "CoAP: only if the resource has this ETag (hex, as results show it)", "ETAG");
  add_text(app, "--id", id_,
           "through a broker: a repeat with the same key within 24 h returns the first outcome instead of "
           "writing again",
           "KEY");
  add_duration(app, "--expires", expires_,
               "through a broker: no delivery later than this (default: --timeout)");
}

void RequestOptions::add_common(CLI::App& app) {
  add_flag(app, "--non", non_, "CoAP: non-confirmable messages");
  add_text(app, "--interface", interface_, "CoAP: network interface for link-local and multicast addresses",
           "NAME")
      .environment("AIOT_INTERFACE");
  mqtt_.configure(app);
  psk_.configure(app);
}

void RequestOptions::add_qos(CLI::App& app) {
  add_choice(app, "-q,--qos", qos_,
             "MQTT and MQTT-SN: quality of service, at most once, at least once, exactly once",
             {"0", "1", "2"});
}

void RequestOptions::add_method(CLI::App& app) {
  add_choice(app, "--method", method_, "CoAP method in place of the command's own (RFC 8132)",
             {"FETCH", "PATCH", "iPATCH"});
}

void RequestOptions::add_results(CLI::App& app) {
  add_flag(app, "--raw", raw_, "print the exact bytes of payloads, without a newline");
  add_text(app, "--out", out_, "write results to FILE; for one target the exact bytes of its payload",
           "FILE");
}

void RequestOptions::add_many(CLI::App& app) {
  add_text(app, "--from", from_, "read URIs from FILE, one a line (none is exit 2); - is standard input",
           "FILE|-");
  add_number(app, "--parallel", parallel_,
             "at most N requests at a time, one at a time to a host (default 16)", 1, kMaxParallel);
}

Result<Request> RequestOptions::make(Context& context, Method method) const {
  mqtt_.apply(context);
  psk_.apply(context);
  Request out;
  out.method = method;
  if (method_ == "FETCH") out.method = Method::fetch;
  if (method_ == "PATCH") out.method = Method::patch;
  if (method_ == "iPATCH") out.method = Method::ipatch;
  auto accept = format_option("--accept", accept_);
  if (!accept) return accept.error();
  out.accept = *accept;
  auto content_format = format_option("--content-format", content_format_);
  if (!content_format) return content_format.error();
  out.content_format = *content_format;
  for (const std::string& text : if_match_) {
    auto etag = etag_option(text);
    if (!etag) return etag.error();
    out.if_match.push_back(std::move(*etag));
  }
  if (!qos_.empty()) out.qos = qos_.front() - '0';
  out.confirmable = !non_;
  out.interface = interface_;
  out.timeout = context.settings().timeout;
  out.stale = stale_;
  out.live = live_;
  out.max_age = max_age_;
  out.id = id_;
  out.expires = expires_;
  return out;
}

}  // namespace aiot::cli
