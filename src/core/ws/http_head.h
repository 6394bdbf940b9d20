#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/ws/http_server.h"

/// Parsing of HTTP/1.1 heads (RFC 9112): pure, bounded, one for server and client.
namespace aiot::ws {

/// More fields than this are refused with 431.
inline constexpr std::size_t kMaxHeaderFields = 100;

struct RequestHead {
  std::string method;
  std::string path;   ///< before '?', as sent
  std::string query;  ///< after '?'
  int minor = 1;      ///< HTTP/1.minor
  Headers headers;    ///< names lower case, values trimmed
};

struct ResponseHead {
  int status = 0;
  int minor = 1;
  Headers headers;
};

/// The length of the head at the start of `bytes` with its empty line, 0 while it is incomplete. LF
/// alone ends one, too, so that it is refused and not waited for. `from` is how far an earlier call has
/// looked: no byte is looked at twice.
[[nodiscard]] std::size_t find_head_end(std::string_view bytes, std::size_t from = 0);

/// False once the first bytes of a connection cannot become a request line: a TLS handshake, say.
[[nodiscard]] bool may_begin_request(std::string_view bytes);

/// Parses a whole head. An Error has the status to answer with in `native`: 400, 431, 501 or 505.
[[nodiscard]] Result<RequestHead> parse_request_head(std::string_view head);
/// Parses a whole head; Errc::peer_failed.
[[nodiscard]] Result<ResponseHead> parse_response_head(std::string_view head);

/// The first field of that lower-case name; empty when absent.
[[nodiscard]] std::string_view find_header(const Headers& headers, std::string_view name);
/// The values of all fields of that name, joined with ", " (RFC 9110 section 5.3).
[[nodiscard]] std::string join_header(const Headers& headers, std::string_view name);
/// True when `token` stands in the comma-separated list of all fields called `name`; case does not matter.
[[nodiscard]] bool header_has_token(const Headers& headers, std::string_view name, std::string_view token);
/// The elements of a comma-separated list, trimmed, empty ones left out.
[[nodiscard]] std::vector<std::string> split_list(std::string_view value);

/// How a body is delimited (RFC 9112 section 6).
struct BodyFraming {
  enum class Kind : std::uint8_t { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t length = 0;
};
/// Errors as for parse_request_head; Content-Length beside Transfer-Encoding is refused (request smuggling).
[[nodiscard]] Result<BodyFraming> request_framing(const RequestHead& head);
[[nodiscard]] Result<BodyFraming> response_framing(const ResponseHead& head, std::string_view method);
/// True when the connection may carry another request after this one.
[[nodiscard]] bool keeps_alive(int minor, const Headers& headers);

/// Takes a body apart as it arrives.
class BodyDecoder {
 public:
  enum class Status : std::uint8_t { more, done, malformed, too_large };

  BodyDecoder() = default;
  BodyDecoder(BodyFraming framing, std::size_t max_body);

  /// Takes from the front of `bytes` what belongs to the body and cuts it off.
  Status feed(std::string_view& bytes);
  /// The peer has closed: done for a body that ends there, malformed otherwise.
  [[nodiscard]] Status end() const;
  [[nodiscard]] Status status() const { return status_; }
  [[nodiscard]] std::string take() { return std::move(body_); }

 private:
  enum class Part : std::uint8_t { size, data, data_end, trailer };
  Status feed_chunked(std::string_view& bytes);
  bool read_line(std::string_view& bytes, std::string& line);
  Status add(std::string_view& bytes);

  BodyFraming framing_;
  std::size_t max_body_ = 0;
  Status status_ = Status::done;
  Part part_ = Part::size;
  std::uint64_t left_ = 0;  ///< of the body, or of the chunk
  std::size_t overhead_ = 0;
  std::string line_;
  std::string body_;
};

}  // namespace aiot::ws
