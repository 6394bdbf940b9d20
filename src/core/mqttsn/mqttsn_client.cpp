#include "core/mqttsn/mqttsn_client.h"

#include <map>

#include "core/loop/operations.h"
#include "core/mqttsn/publisher.h"
#include "core/mqttsn/request_message.h"
#include "core/mqttsn/search.h"
#include "core/mqttsn/subscriber.h"

namespace aiot::mqttsn {

namespace {

class MqttsnClient final : public Client {
 public:
  explicit MqttsnClient(EventLoop& loop) : loop_(loop) {}
  ~MqttsnClient() override {
    for (const auto& [gateway, publisher] : publishers_) publisher->close();
  }
  MqttsnClient(const MqttsnClient&) = delete;
  MqttsnClient& operator=(const MqttsnClient&) = delete;

  Operation request(Request request, Completion<Response> done) override {
    const bool write = is_write(request.method);
    if (auto checked = check_request(request, false); !checked) {
      auto why = std::move(checked).error();
      if (write) why.outcome = Outcome::not_sent;
      return refuse(loop_, std::move(why), std::move(done));
    }
    if (write) {
      auto& publisher = publishers_[request.uri.authority()];
      if (!publisher) publisher = std::make_shared<Publisher>(loop_, request.uri);
      return publisher->publish(std::move(request), std::move(done));
    }
    return begin(std::make_shared<Subscriber>(loop_, std::move(request), std::move(done)));
  }

  Operation observe(Request request, UniqueFunction<void(Notification)> next, Completion<> done) override {
    if (auto checked = check_request(request, true); !checked)
      return refuse(loop_, std::move(checked).error(), std::move(done));
    return begin(std::make_shared<Subscriber>(loop_, std::move(request), std::move(next), std::move(done)));
  }

  Operation discover(DiscoverRequest request, UniqueFunction<void(Discovered)> found,
                     Completion<> done) override {
    return begin(std::make_shared<Search>(loop_, std::move(request), std::move(found), std::move(done)));
  }

 private:
  template <class Task>
  Operation begin(std::shared_ptr<Task> task) {
    task->start();
    return handle_of(loop_, std::move(task));
  }

  EventLoop& loop_;
  std::map<std::string, std::shared_ptr<Publisher>> publishers_;
};

}  // namespace

std::unique_ptr<Client> make_mqttsn_client(EventLoop& loop) { return std::make_unique<MqttsnClient>(loop); }

}  // namespace aiot::mqttsn
