#include "core/coap/coap_client.h"

#include "core/coap/discover_task.h"
#include "core/coap/observe_task.h"
#include "core/coap/request_task.h"

namespace aiot::coap {
namespace {

class LibcoapClient final : public CoapClient {
 public:
  LibcoapClient(EventLoop& loop, const ClientLimits& limits, ClientSecurity security)
      : core_(std::make_shared<ClientCore>(loop, limits, std::move(security))) {}
  ~LibcoapClient() override { core_->close(); }
  LibcoapClient(const LibcoapClient&) = delete;
  LibcoapClient& operator=(const LibcoapClient&) = delete;

  Operation request(Request request, Completion<Response> done) override {
    return request_from({}, std::move(request), std::move(done));
  }

  Operation request_from(const SocketAddress& local, Request request, Completion<Response> done) override {
    return begin(std::make_shared<RequestTask>(*core_, std::move(request), local, std::move(done)));
  }

  Operation observe(Request request, UniqueFunction<void(Notification)> next, Completion<> done) override {
    return observe_from({}, std::move(request), std::move(next), std::move(done));
  }

  Operation observe_from(const SocketAddress& local, Request request, UniqueFunction<void(Notification)> next,
                         Completion<> done) override {
    return begin(
        std::make_shared<ObserveTask>(*core_, std::move(request), local, std::move(next), std::move(done)));
  }

  Operation discover(DiscoverRequest request, UniqueFunction<void(Discovered)> found,
                     Completion<> done) override {
    return begin(
        std::make_shared<DiscoverTask>(*core_, std::move(request), std::move(found), std::move(done)));
  }

  [[nodiscard]] ClientCounters counters() const override { return core_->counters(); }

 private:
  template <class T>
  Operation begin(std::shared_ptr<T> task) {
    auto operation = core_->start(task);
    task->begin();
    return operation;
  }

  std::shared_ptr<ClientCore> core_;
};

}  // namespace

std::unique_ptr<CoapClient> CoapClient::make(EventLoop& loop, const ClientLimits& limits,
                                             ClientSecurity security) {
  return std::make_unique<LibcoapClient>(loop, limits, std::move(security));
}

}  // namespace aiot::coap
