#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/completion.h"
#include "core/base/time.h"
#include "core/tls/client_files.h"
#include "core/ws/http_server.h"

namespace aiot {

class EventLoop;

namespace ws {

/// Where a broker stands: what --broker and aiot:// URIs come down to.
struct Endpoint {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  std::string path;             ///< prefix before /gw, /ws and /api; starts with '/' or is empty
  tls::ClientFiles files = {};  ///< read anew for each connection
};
/// From ws, wss, http, https, aiot and aiots URLs, with an optional path prefix. Errc::usage otherwise.
Result<Endpoint> parse_endpoint(std::string_view url);

struct ClientOptions {
  std::string path;  ///< appended to the endpoint's: "/gw"
  std::vector<std::string> subprotocols;
  Headers headers;
  Duration timeout = std::chrono::seconds(10);        ///< name, connect and handshake together
  std::size_t max_message = 4 * 1024 * 1024;          ///< received; 1009 beyond
  Duration ping_interval = std::chrono::seconds(30);  ///< a server silent for two is given up
  Duration close_timeout = std::chrono::seconds(5);   ///< closing handshake
};

/// One outgoing WebSocket. Made connecting; destroyed it closes (1001) without further callbacks, also from
/// inside one. On TLS the server's certificate is verified.
class WsClient {
 public:
  struct Callbacks {
    UniqueFunction<void(const std::string& subprotocol)> opened;
    UniqueFunction<void(std::string_view message, bool binary)> received;
    /// Last of all, once, whether it had opened or not: why. An HTTP refusal has its status in `native`
    /// (401 and 403 are Errc::unauthorized, other 4xx rejected, 5xx and answers that make no sense
    /// peer_failed), a closing handshake its code (1003 ...). A lost connection, and one closed by
    /// either side without complaint (1000, 1001), is unreachable; a refused certificate unauthorized.
    UniqueFunction<void(Error why)> closed;
    UniqueFunction<void()> writable;  ///< queued_bytes() came down below `low_water`
  };
  static std::unique_ptr<WsClient> connect(EventLoop& loop, const Endpoint& endpoint, ClientOptions options,
                                           Callbacks callbacks);
  virtual ~WsClient() = default;
  /// Queues one message, also before it has opened; without a bound, so look at queued_bytes().
  virtual void send_text(std::string message) = 0;
  /// Starts the closing handshake after what is queued; callbacks.closed follows.
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
