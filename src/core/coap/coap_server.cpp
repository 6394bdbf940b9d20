#include "core/coap/coap_server.h"

#include <utility>

#include "core/coap/server.h"

namespace aiot::coap {

Result<std::unique_ptr<CoapServer>> CoapServer::listen(EventLoop& loop, ServerOptions options,
                                                       Handler handler) {
  auto server = std::make_unique<Server>(loop, std::move(options), std::move(handler));
  if (auto opened = server->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<CoapServer>(std::move(server));
}

}  // namespace aiot::coap
