#include "core/ws/http_head.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"

namespace aiot::ws {
namespace {

constexpr std::size_t kMaxMethod = 32;

bool is_token_char(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Empty lines before a request are skipped (RFC 9112 section 2.2).
std::string_view skip_empty_lines(std::string_view bytes) {
  return bytes.substr(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
}

Error bad(std::string message, int status = 400) {
  return make_error(Errc::peer_failed, std::move(message), status);
}

/// The next line without its CRLF; nothing when none is left, or a CR or LF stands alone: one that a proxy
/// takes for part of a field hides a request from it.
bool next_line(std::string_view& rest, std::string_view& line) {
  const auto end = rest.find('\n');
  if (end == std::string_view::npos) return false;
  line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (line.empty() || line.back() != '\r') return false;
  line.remove_suffix(1);
  return line.find('\r') == std::string_view::npos;
}

/// "HTTP/1.x" -> x, -1 for what is not HTTP, -2 for another major version.
int parse_version(std::string_view text) {
  if (text.size() != 8 || text.substr(0, 5) != "HTTP/" || text[6] != '.') return -1;
  if (text[5] < '0' || text[5] > '9' || text[7] < '0' || text[7] > '9') return -1;
  return text[5] == '1' ? text[7] - '0' : -2;
}

Result<> parse_fields(std::string_view rest, Headers& headers) {
  std::string_view line;
  while (next_line(rest, line)) {
    if (line.empty()) return {};
    if (line.front() == ' ' || line.front() == '\t') return bad("a header line is folded");
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return bad("a header line has no colon");
    const auto name = line.substr(0, colon);
    if (!is_token(name)) return bad("a header name has a character that it may not have");
    const auto value = trim_blanks(line.substr(colon + 1));
    for (const char c : value) {
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) {
        return bad(fmt::format("the header \"{}\" has a control character", name));
      }
    }
    if (headers.size() == kMaxHeaderFields) return bad("too many headers", 431);
    headers.emplace_back(text::lower(name), value);
  }
  return bad("a line of the head does not end with CRLF");
}

/// Takes "http://authority" off a target in absolute form (RFC 9112 section 3.2.2).
std::string_view origin_form(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (text::lower(target.substr(0, scheme.size())) != scheme) continue;
    target.remove_prefix(scheme.size());
    const auto path = target.find_first_of("/?");
    return path == std::string_view::npos ? "/" : target.substr(path);
  }
  return target;
}

Result<> parse_target(std::string_view target, RequestHead& head) {
  for (const char c : target) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '#') {
      return bad("the request target has a character that it may not have");
    }
  }
  target = origin_form(target);
  if (target.empty() || (target.front() != '/' && target.front() != '?' && target != "*")) {
    return bad("the request target is not a path");
  }
  const auto mark = target.find('?');
  head.path = target.substr(0, mark);
  if (head.path.empty()) head.path = "/";
  if (mark != std::string_view::npos) head.query = target.substr(mark + 1);
  return {};
}

/// Content-Length, of one field or several that agree. -1 for none, -2 for nonsense.
std::int64_t content_length(const Headers& headers) {
  std::int64_t length = -1;
  for (const auto& [name, value] : headers) {
    if (name != "content-length") continue;
    if (value.empty() || value.size() > 18) return -2;
    std::int64_t number = 0;
    for (const char c : value) {
      if (c < '0' || c > '9') return -2;
      number = number * 10 + (c - '0');
    }
    if (length >= 0 && number != length) return -2;
    length = number;
  }
  return length;
}

}  // namespace

std::size_t find_head_end(std::string_view bytes, std::size_t from) {
  const auto start = bytes.size() - skip_empty_lines(bytes).size();
  auto at = std::max(start, from > 3 ? from - 3 : 0);
  while ((at = bytes.find('\n', at)) != std::string_view::npos) {
    ++at;
    if (at < bytes.size() && bytes[at] == '\n') return at + 1;
    if (at + 1 < bytes.size() && bytes[at] == '\r' && bytes[at + 1] == '\n') return at + 2;
  }
  return 0;
}

bool may_begin_request(std::string_view bytes) {
  bytes = skip_empty_lines(bytes);
  const auto method = bytes.substr(0, std::min(bytes.find(' '), kMaxMethod + 1));
  return method.size() <= kMaxMethod && (bytes.empty() || !method.empty()) &&
         std::all_of(method.begin(), method.end(), is_token_char);
}

Result<RequestHead> parse_request_head(std::string_view bytes) {
  bytes = skip_empty_lines(bytes);
  std::string_view line;
  if (!next_line(bytes, line)) return bad("the request line does not end with CRLF");
  RequestHead head;
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return bad("the request line has not three parts");
  const auto method = line.substr(0, first);
  if (!is_token(method) || method.size() > kMaxMethod) return bad("the method is no token");
  head.method = method;
  head.minor = parse_version(line.substr(last + 1));
  if (head.minor == -2) return bad("only HTTP/1.1 is spoken here", 505);
  if (head.minor < 0) return bad("the request line does not end with a version");
  if (auto done = parse_target(line.substr(first + 1, last - first - 1), head); !done) return done.error();
  if (auto done = parse_fields(bytes, head.headers); !done) return done.error();
  const auto hosts = std::count_if(head.headers.begin(), head.headers.end(),
                                   [](const auto& field) { return field.first == "host"; });
  if (hosts > 1 || (hosts == 0 && head.minor > 0)) return bad("there must be one Host header");
  // A proxy in front might go by the other one.
  const auto credentials = std::count_if(head.headers.begin(), head.headers.end(),
                                         [](const auto& field) { return field.first == "authorization"; });
  if (credentials > 1) return bad("there must be at most one Authorization header");
  return head;
}

Result<ResponseHead> parse_response_head(std::string_view bytes) {
  std::string_view line;
  if (!next_line(bytes, line) || line.size() < 12) return bad("the answer is not HTTP", 0);
  ResponseHead head;
  head.minor = parse_version(line.substr(0, 8));
  if (head.minor < 0 || line[8] != ' ') return bad("the answer is not HTTP/1.1", 0);
  for (int i = 9; i < 12; ++i) {
    if (line[static_cast<std::size_t>(i)] < '0' || line[static_cast<std::size_t>(i)] > '9') {
      return bad("the answer has no status", 0);
    }
    head.status = head.status * 10 + (line[static_cast<std::size_t>(i)] - '0');
  }
  if (head.status < 100 || (line.size() > 12 && line[12] != ' ')) return bad("the answer has no status", 0);
  if (auto done = parse_fields(bytes, head.headers); !done) {
    auto error = std::move(done).error();
    error.native = 0;
    return error;
  }
  return head;
}

std::string_view find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

std::string join_header(const Headers& headers, std::string_view name) {
  std::string joined;
  for (const auto& [key, value] : headers) {
    if (key != name) continue;
    if (!joined.empty()) joined += ", ";
    joined += value;
  }
  return joined;
}

std::vector<std::string> split_list(std::string_view value) {
  std::vector<std::string> items;
  while (!value.empty()) {
    const auto comma = value.find(',');
    const auto item = trim_blanks(value.substr(0, comma));
    if (!item.empty()) items.emplace_back(item);
    if (comma == std::string_view::npos) break;
    value.remove_prefix(comma + 1);
  }
  return items;
}

bool header_has_token(const Headers& headers, std::string_view name, std::string_view token) {
  for (const auto& item : split_list(join_header(headers, name))) {
    if (text::lower(item) == token) return true;
  }
  return false;
}

Result<BodyFraming> request_framing(const RequestHead& head) {
  const auto length = content_length(head.headers);
  if (length == -2) return bad("Content-Length is not one number");
  const auto coding = join_header(head.headers, "transfer-encoding");
  if (!coding.empty()) {
    if (length >= 0) return bad("Content-Length and Transfer-Encoding exclude each other");
    if (head.minor == 0) return bad("HTTP/1.0 has no Transfer-Encoding");
    if (text::lower(coding) != "chunked") return bad("the transfer coding is not known here", 501);
    return BodyFraming{BodyFraming::Kind::chunked, 0};
  }
  if (length <= 0) return BodyFraming{};
  return BodyFraming{BodyFraming::Kind::length, static_cast<std::uint64_t>(length)};
}

Result<BodyFraming> response_framing(const ResponseHead& head, std::string_view method) {
  if (method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304) return BodyFraming{};
  const auto coding = text::lower(join_header(head.headers, "transfer-encoding"));
  if (coding == "chunked") return BodyFraming{BodyFraming::Kind::chunked, 0};
  if (!coding.empty()) return bad("the answer has an unknown transfer coding", 0);
  const auto length = content_length(head.headers);
  if (length == -2) return bad("the answer's Content-Length is not one number", 0);
  if (length == 0) return BodyFraming{};
  if (length > 0) return BodyFraming{BodyFraming::Kind::length, static_cast<std::uint64_t>(length)};
  return BodyFraming{BodyFraming::Kind::until_close, 0};
}

bool keeps_alive(int minor, const Headers& headers) {
  if (header_has_token(headers, "connection", "close")) return false;
  return minor > 0 || header_has_token(headers, "connection", "keep-alive");
}

}  // namespace aiot::ws
