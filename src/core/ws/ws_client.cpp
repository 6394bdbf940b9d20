#include "core/ws/ws_client.h"

#include "core/ws/client_web_socket.h"

namespace aiot::ws {
namespace {

/// The owner's handle: the socket itself lives on while it is called from.
class Client final : public WsClient {
 public:
  explicit Client(std::shared_ptr<ClientWebSocket> socket) : socket_(std::move(socket)) {}
  ~Client() override { socket_->drop(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send_text(std::string message) override { socket_->send(message); }
  void close(std::uint16_t code, std::string_view reason) override { socket_->close(code, reason); }
  [[nodiscard]] std::size_t queued_bytes() const override { return socket_->queued_bytes(); }

 private:
  std::shared_ptr<ClientWebSocket> socket_;
};

}  // namespace

std::unique_ptr<WsClient> WsClient::connect(EventLoop& loop, const Endpoint& endpoint, ClientOptions options,
                                            Callbacks callbacks) {
  auto socket = std::make_shared<ClientWebSocket>(loop, endpoint, std::move(options), std::move(callbacks));
  socket->start();
  return std::make_unique<Client>(std::move(socket));
}

}  // namespace aiot::ws
