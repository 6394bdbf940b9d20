#include "core/ws/http_server.h"

#include "core/ws/http_connection.h"
#include "core/ws/responder.h"
#include "core/ws/server_core.h"

namespace aiot::ws {
namespace {

class Server final : public HttpServer {
 public:
  explicit Server(std::shared_ptr<ServerCore> core) : core_(std::move(core)) {}
  ~Server() override { core_->stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] SocketAddress bound() const override { return core_->bound(); }
  [[nodiscard]] HttpServerCounters counters() const override { return core_->counters(); }
  void shut_down(Duration deadline, Completion<> done) override {
    core_->shut_down(deadline, std::move(done));
  }

 private:
  std::shared_ptr<ServerCore> core_;
};

class FunctionReply final : public HttpResponder::Impl {
 public:
  explicit FunctionReply(UniqueFunction<void(HttpResponse)> take) : take_(std::move(take)) {}
  void reply(HttpResponse response) override { take_(std::move(response)); }

 private:
  UniqueFunction<void(HttpResponse)> take_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(EventLoop& loop, HttpServerOptions options,
                                                       RequestHandler on_request, UpgradeHandler on_upgrade,
                                                       RefusalHandler on_refusal) {
  auto core = std::make_shared<ServerCore>(loop, std::move(options), std::move(on_request),
                                           std::move(on_upgrade), std::move(on_refusal));
  if (auto done = core->listen(); !done) {
    core->stop();
    return std::move(done).error();
  }
  return std::unique_ptr<HttpServer>(std::make_unique<Server>(std::move(core)));
}

std::string_view HttpRequest::header(std::string_view name) const { return find_header(headers, name); }
std::string_view UpgradeRequest::header(std::string_view name) const { return find_header(headers, name); }

void ConnectionReply::reply(HttpResponse response) {
  if (const auto connection = connection_.lock()) connection->reply(serial_, std::move(response));
}

HttpResponder::HttpResponder(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpResponder::HttpResponder(UniqueFunction<void(HttpResponse)> take)
    : impl_(std::make_shared<FunctionReply>(std::move(take))) {}
HttpResponder::HttpResponder(HttpResponder&&) noexcept = default;
HttpResponder& HttpResponder::operator=(HttpResponder&& other) noexcept {
  if (this != &other) {
    drop();
    impl_ = std::move(other.impl_);
  }
  return *this;
}
HttpResponder::~HttpResponder() { drop(); }

void HttpResponder::drop() {
  if (!impl_) return;
  HttpResponse failure;
  failure.status = 500;
  failure.body = "500 Internal Server Error: the request was dropped\n";
  reply(std::move(failure));
}

void HttpResponder::reply(HttpResponse response) {
  if (auto impl = std::exchange(impl_, nullptr)) impl->reply(std::move(response));
}

}  // namespace aiot::ws
