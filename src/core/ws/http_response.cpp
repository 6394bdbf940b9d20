#include "core/ws/http_response.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"

namespace aiot::ws {
namespace {

struct Phrase {
  int status;
  std::string_view text;
};
constexpr Phrase kPhrases[] = {{100, "Continue"},
                               {101, "Switching Protocols"},
                               {200, "OK"},
                               {201, "Created"},
                               {202, "Accepted"},
                               {204, "No Content"},
                               {206, "Partial Content"},
                               {301, "Moved Permanently"},
                               {302, "Found"},
                               {303, "See Other"},
                               {304, "Not Modified"},
                               {307, "Temporary Redirect"},
                               {308, "Permanent Redirect"},
                               {400, "Bad Request"},
                               {401, "Unauthorized"},
                               {403, "Forbidden"},
                               {404, "Not Found"},
                               {405, "Method Not Allowed"},
                               {406, "Not Acceptable"},
                               {408, "Request Timeout"},
                               {409, "Conflict"},
                               {410, "Gone"},
                               {411, "Length Required"},
                               {412, "Precondition Failed"},
                               {413, "Content Too Large"},
                               {414, "URI Too Long"},
                               {415, "Unsupported Media Type"},
                               {417, "Expectation Failed"},
                               {422, "Unprocessable Content"},
                               {425, "Too Early"},
                               {426, "Upgrade Required"},
                               {428, "Precondition Required"},
                               {429, "Too Many Requests"},
                               {431, "Request Header Fields Too Large"},
                               {500, "Internal Server Error"},
                               {501, "Not Implemented"},
                               {502, "Bad Gateway"},
                               {503, "Service Unavailable"},
                               {504, "Gateway Timeout"},
                               {505, "HTTP Version Not Supported"}};

bool is_safe(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

bool is_safe_name(std::string_view name) {
  return !name.empty() && is_safe(name) && name.find_first_of(" \t:") == std::string_view::npos;
}

/// IMF-fixdate (RFC 9110 section 5.6.7), kept for a second.
std::string_view http_date(WallTime now) {
  static thread_local std::int64_t kept_for = -1;
  static thread_local std::string kept;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  if (seconds != kept_for) {
    kept = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(static_cast<std::time_t>(seconds)));
    kept_for = seconds;
  }
  return kept;
}

}  // namespace

std::string_view reason_phrase(int status) {
  for (const auto& phrase : kPhrases) {
    if (phrase.status == status) return phrase.text;
  }
  return "";
}

bool is_bodiless(int status) { return status < 200 || status == 204 || status == 304; }

std::string response_head(const HttpResponse& response, std::size_t body_size, bool keep_alive,
                          WallTime now) {
  std::string head;
  head.reserve(256);
  fmt::format_to(std::back_inserter(head), "HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status,
                 reason_phrase(response.status), http_date(now));
  if (!is_bodiless(response.status)) {
    if (!response.content_type.empty() && is_safe(response.content_type)) {
      fmt::format_to(std::back_inserter(head), "Content-Type: {}\r\n", response.content_type);
    }
    if (!response.stream) fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", body_size);
  }
  for (const auto& [name, value] : response.headers) {
    const auto lower = text::lower(name);
    const bool ours = lower == "content-length" || lower == "transfer-encoding" || lower == "connection" ||
                      (lower == "content-type" && !response.content_type.empty());
    if (ours || !is_safe_name(name) || !is_safe(value)) continue;
    fmt::format_to(std::back_inserter(head), "{}: {}\r\n", name, value);
  }
  head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return head;
}

}  // namespace aiot::ws
