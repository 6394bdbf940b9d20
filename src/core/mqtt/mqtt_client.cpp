#include "core/mqtt/mqtt_client.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "core/base/text.h"
#include "core/codec/content_format.h"
#include "core/codec/topic.h"
#include "core/loop/operations.h"
#include "core/mqtt/discovery.h"
#include "core/mqtt/link.h"

namespace aiot::mqtt {

namespace {

/// The topic (or filter) of a request; Errc::usage for none.
Result<void> check_topic(const Uri& uri, bool filter) {
  const auto bad = [&](std::string_view why) {
    return make_error(Errc::usage, fmt::format("{}: {}", text::escape_controls(uri.text), why));
  };
  if (uri.tail.empty()) return bad("the topic is missing after the host's slash");
  if (!filter && has_wildcard(uri.tail)) return bad("a message is published to one topic, without + and #");
  if (filter ? !is_topic_filter(uri.tail) : !is_topic_name(uri.tail)) return bad("that is not an MQTT topic");
  return {};
}

/// get and observe.
class ReadTask final : public Reader, public std::enable_shared_from_this<ReadTask> {
 public:
  ReadTask(EventLoop& loop, Request request, Completion<Response> got)
      : loop_(loop), request_(std::move(request)), got_(std::move(got)) {}
  ReadTask(EventLoop& loop, Request request, UniqueFunction<void(Client::Notification)> next,
           Completion<> done)
      : loop_(loop), request_(std::move(request)), next_(std::move(next)), done_(std::move(done)) {}
  ReadTask(const ReadTask&) = delete;
  ReadTask& operator=(const ReadTask&) = delete;
  ~ReadTask() override {
    got_.dismiss();
    done_.dismiss();
  }

  void start(std::shared_ptr<Link> link) {
    link_ = std::move(link);
    deadline_ = loop_.make_timer([this] { expired(); });
    deadline_->start(request_.timeout);
    link_->add(shared_from_this());
  }
  void cancel() {
    got_.dismiss();
    done_.dismiss();
    next_ = nullptr;
    leave();
  }

  [[nodiscard]] const std::string& filter() const override { return request_.uri.tail; }
  [[nodiscard]] SubscribeOptions options() const override {
    SubscribeOptions out;
    out.qos = request_.qos.value_or(1);
    out.retained = request_.retained;
    return out;
  }
  void subscribed(Result<void> result) override {
    if (!link_) return;
    if (!result) {
      finish(std::move(result).error());
    } else if (next_) {
      deadline_->stop();
    }
  }
  void received(const Message& message) override {
    if (!link_) return;
    Response response;
    response.uri = has_wildcard(filter()) || filter() != message.topic
                       ? request_.uri.authority() + "/" + message.topic
                       : request_.uri.text;
    response.resource = message.topic;
    response.payload = message.payload;
    response.protocol = "MQTT";
    response.time = loop_.wall_now();
    response.qos = message.qos;
    response.retained = message.retain;
    if (auto format = parse_content_format(message.content_type); format && !message.content_type.empty())
      response.content_format = *format;
    if (next_) {
      next_(std::move(response));
    } else {
      auto got = std::move(got_);
      leave();
      got(std::move(response));
    }
  }
  void lost(const Error& why) override { event(StreamEvent::Kind::lost, why.message); }
  void resumed() override { event(StreamEvent::Kind::resumed, {}); }
  void failed(const Error& why) override { finish(why); }

 private:
  void event(StreamEvent::Kind kind, const std::string& reason) {
    if (next_) next_(StreamEvent{kind, request_.uri.text, reason, loop_.wall_now(), std::nullopt});
  }
  void expired() {
    if (link_->connected()) {
      finish(make_error(
          Errc::timeout,
          fmt::format("{} within {}", next_ ? "the subscription was not answered" : "no message came",
                      format_duration(request_.timeout))));
    } else {
      finish(link_->last_failure().value_or(make_error(Errc::timeout, "no connection in time")));
    }
  }
  void finish(const Error& why) {
    const auto self = shared_from_this();
    auto got = std::move(got_);
    auto done = std::move(done_);
    leave();
    next_ = nullptr;
    got(why);
    done(why);
  }
  void leave() {
    if (deadline_) deadline_->stop();
    if (auto link = std::exchange(link_, nullptr)) link->remove(this);
  }

  EventLoop& loop_;
  Request request_;
  Completion<Response> got_;
  UniqueFunction<void(Client::Notification)> next_;
  Completion<> done_;
  std::shared_ptr<Link> link_;
  std::unique_ptr<Timer> deadline_;
};

class MqttClient final : public Client {
 public:
  MqttClient(EventLoop& loop, ClientOptions options) : loop_(loop), options_(std::move(options)) {}

  Operation request(Request request, Completion<Response> done) override {
    const bool reads = request.method == Method::get;
    if (auto checked = check_topic(request.uri, reads); !checked)
      return refuse(std::move(checked).error(), std::move(done));
    return reads ? read(std::make_shared<ReadTask>(loop_, request, std::move(done)), request)
                 : publish(std::move(request), std::move(done));
  }

  Operation observe(Request request, UniqueFunction<void(Notification)> next, Completion<> done) override {
    if (auto checked = check_topic(request.uri, true); !checked)
      return refuse(std::move(checked).error(), std::move(done));
    return read(std::make_shared<ReadTask>(loop_, request, std::move(next), std::move(done)), request);
  }

  Operation discover(DiscoverRequest request, UniqueFunction<void(Discovered)> found,
                     Completion<> done) override {
    return mqtt::discover(loop_, options_, std::move(request), std::move(found), std::move(done));
  }

 private:
  template <class T>
  Operation refuse(Error error, Completion<T> done) {
    error.outcome = Outcome::not_sent;
    return aiot::refuse(loop_, std::move(error), std::move(done));
  }

  Operation read(std::shared_ptr<ReadTask> task, const Request& request) {
    task->start(link_for(request, request.uri.tail));
    return handle_of(loop_, std::move(task));
  }

  Operation publish(Request request, Completion<Response> done) {
    const auto link = link_for(request, {});
    Message message;
    message.topic = request.uri.tail;
    message.payload = std::move(request.payload);
    message.retain = request.retain || request.method != Method::post;
    message.qos = request.qos.value_or(request.method == Method::post ? 0 : 1);
    message.user_properties = std::move(request.user_properties);
    message.content_type = std::move(request.content_type);
    message.response_topic = std::move(request.response_topic);
    message.expiry = request.message_expiry;
    Response response;
    response.uri = request.uri.text;
    response.resource = message.topic;
    response.protocol = "MQTT";
    response.qos = message.qos;
    response.retained = message.retain;
    auto kept = std::make_shared<Completion<Response>>(std::move(done));
    link->publish(std::move(message), [&loop = loop_, kept, response = std::move(response),
                                       since = loop_.now()](Result<void> result) {
      if (!*kept) return;
      if (!result) {
        (*kept)(std::move(result).error());
        return;
      }
      Response out = response;
      out.time = loop.wall_now();
      out.rtt = loop.now() - since;
      (*kept)(std::move(out));
    });
    return Operation([kept] { kept->dismiss(); });
  }

  /// One whose readers' filters do not overlap with `filter`.
  std::shared_ptr<Link> link_for(const Request& request, const std::string& filter) {
    auto& links = links_[request.uri.authority()];
    std::erase_if(links, [](const auto& link) { return link->dead(); });
    for (const auto& link : links)
      if (filter.empty() || !options_.client_id.empty() || !link->overlaps(filter)) return link;
    links.push_back(std::make_shared<Link>(loop_, request.uri, options_, request.timeout));
    links.back()->start();
    return links.back();
  }

  EventLoop& loop_;
  ClientOptions options_;
  std::map<std::string, std::vector<std::shared_ptr<Link>>> links_;
};

}  // namespace

std::unique_ptr<Client> make_mqtt_client(EventLoop& loop, ClientOptions options) {
  return std::make_unique<MqttClient>(loop, std::move(options));
}

}  // namespace aiot::mqtt
