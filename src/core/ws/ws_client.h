#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/completion.h"
#include "core/base/time.h"
#include "core/ws/http_server.h"

namespace aiot {

class EventLoop;

namespace ws {

/// Where a broker stands: what --broker and aiot:// URIs come down to.
struct Endpoint {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  std::string path;  ///< prefix before /gw, /ws and /api; starts with '/' or is empty
};
/// From ws, wss, http, https, aiot and aiots URLs, with an optional path prefix. Errc::usage otherwise.
Result<Endpoint> parse_endpoint(std::string_view url);

struct ClientOptions {
  std::string path;  ///< appended to the endpoint's: "/gw"
  std::vector<std::string> subprotocols;
  Headers headers;
  Duration timeout = std::chrono::seconds(10);  ///< name, connect and handshake together
  std::size_t max_message = 4 * 1024 * 1024;
};

/// One outgoing WebSocket. Made connecting; destroyed it closes (1001) without further callbacks.
class WsClient {
 public:
  struct Callbacks {
    UniqueFunction<void(const std::string& subprotocol)> opened;
    UniqueFunction<void(std::string_view message, bool binary)> received;
    /// Last of all, once, whether it had opened or not: why. An HTTP refusal has its status in `native`
    /// (401 and 403 are Errc::unauthorized).
    UniqueFunction<void(Error why)> closed;
    UniqueFunction<void()> writable;  ///< queued_bytes() came down below `low_water`
  };
  static std::unique_ptr<WsClient> connect(EventLoop& loop, const Endpoint& endpoint, ClientOptions options,
                                           Callbacks callbacks);
  virtual ~WsClient() = default;
  virtual void send_text(std::string message) = 0;
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
  static constexpr std::size_t kLowWater = 64 * 1024;
};

struct HttpClientRequest {
  std::string method = "GET";
  std::string path;  ///< appended to the endpoint's; already percent-encoded, with query
  Headers headers;
  std::string body;
  Duration timeout = std::chrono::seconds(10);
  std::size_t max_body = 64 * 1024 * 1024;
};

struct HttpClientResponse {
  int status = 0;
  Headers headers;
  std::string body;
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

/// One HTTP/1.1 request, one answer whatever its status. Errc::unreachable, timeout, unauthorized (TLS).
Operation http_request(EventLoop& loop, const Endpoint& endpoint, HttpClientRequest request,
                       Completion<HttpClientResponse> done);

}  // namespace ws
}  // namespace aiot
