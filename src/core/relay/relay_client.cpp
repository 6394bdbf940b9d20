#include "core/relay/relay_client.h"

#include <fmt/format.h>

#include <utility>

#include "core/loop/operations.h"
#include "core/relay/following.h"
#include "core/relay/rest.h"

namespace aiot::relay {

namespace {

/// One read or write.
class Exchange {
 public:
  Exchange(EventLoop& loop, Request request, Completion<Response> done)
      : loop_(loop), request_(std::move(request)), done_(std::move(done)) {}

  void start(const ws::Endpoint& endpoint, const std::string& token) {
    rest_ = ws::http_request(loop_, endpoint, http_of(request_, token),
                             [this](Result<ws::HttpClientResponse> answer) { finish(std::move(answer)); });
  }
  void cancel() {
    done_.dismiss();
    rest_.cancel();
  }

 private:
  void finish(Result<ws::HttpClientResponse> answer) {
    const bool write = is_write(request_.method);
    if (!answer) return done_(exchange_error(std::move(answer).error(), write));
    if (answer->status / 100 != 2) return done_(problem_of(answer->status, answer->body, write));
    auto response = parse_answer(request_, answer->body, loop_.wall_now());
    // A write that was confirmed in words we do not understand has acted all the same.
    if (!response) return done_(exchange_error(std::move(response).error(), write));
    if (!write) {
      if (auto fresh = check_freshness(request_, *response); !fresh) return done_(std::move(fresh).error());
    }
    done_(*std::move(response));
  }

  EventLoop& loop_;
  Request request_;
  Completion<Response> done_;
  Operation rest_;
};

/// Lists a broker's nodes and their resources, page by page.
class Discovery {
 public:
  Discovery(EventLoop& loop, ws::Endpoint endpoint, std::string token, DiscoverRequest request,
            UniqueFunction<void(Discovered)> found, Completion<> done)
      : loop_(loop),
        endpoint_(std::move(endpoint)),
        token_(std::move(token)),
        request_(std::move(request)),
        found_(std::move(found)),
        done_(std::move(done)) {}

  void start() { ask({}); }
  void cancel() {
    done_.dismiss();
    rest_.cancel();
  }

 private:
  void ask(const std::string& cursor) {
    const auto target = target_of(*request_.target);
    one_ = !target.uid.empty() && target.uid.find('*') == std::string::npos;
    rest_ = ws::http_request(loop_, endpoint_,
                             one_ ? node_request(target.uid, token_, request_.timeout)
                                  : page_request(cursor, token_, request_.timeout),
                             [this](Result<ws::HttpClientResponse> answer) { take(std::move(answer)); });
  }

  void take(Result<ws::HttpClientResponse> answer) {
    if (!answer) return done_(std::move(answer).error());
    if (answer->status / 100 != 2) return done_(problem_of(answer->status, answer->body, false));
    if (one_) {
      auto node = parse_node(answer->body);
      if (!node) return done_(std::move(node).error());
      tell(*node);
      return done_({});
    }
    auto page = parse_page(answer->body);
    if (!page) return done_(std::move(page).error());
    for (const auto& node : page->nodes) tell(node);
    if (!done_) return;
    if (page->next.empty()) return done_({});
    ask(page->next);
  }

  void tell(const HeldNode& node) {
    const auto target = target_of(*request_.target);
    if (!target.uid.empty() && !target.matches_node(node.uid)) return;
    Discovered discovered;
    discovered.type = Discovered::Type::node;
    discovered.uri = uri_of(*request_.target, node.uid, {});
    discovered.node = node.uid;
    discovered.protocol = node.protocol;
    discovered.attributes.emplace_back("state", std::string(to_string(node.state)));
    if (!node.gateway.empty()) discovered.attributes.emplace_back("gateway", node.gateway);
    if (!node.address.empty()) discovered.attributes.emplace_back("address", node.address);
    give(std::move(discovered));
    for (const auto& [name, value] : node.resources) {
      if (!target.resource.empty() && !target.matches(node.uid, name)) continue;
      Discovered resource;
      resource.uri = uri_of(*request_.target, node.uid, name);
      resource.node = node.uid;
      resource.path = name;
      resource.protocol = node.protocol;
      if (value.content_format) resource.attributes.emplace_back("ct", std::to_string(*value.content_format));
      give(std::move(resource));
    }
  }

  /// Unless the callback before this one has cancelled.
  void give(Discovered discovered) {
    if (done_) found_(std::move(discovered));
  }

  EventLoop& loop_;
  ws::Endpoint endpoint_;
  std::string token_;
  DiscoverRequest request_;
  UniqueFunction<void(Discovered)> found_;
  Completion<> done_;
  Operation rest_;
  bool one_ = false;
};

class RelayClient final : public Client {
 public:
  RelayClient(EventLoop& loop, std::string token, std::string prefix, tls::ClientFiles files)
      : loop_(loop), token_(std::move(token)), prefix_(std::move(prefix)), files_(std::move(files)) {}

  Operation request(Request request, Completion<Response> done) override {
    if (auto checked = check_request(request, false); !checked) {
      return refuse(loop_, exchange_error(std::move(checked).error(), is_write(request.method)),
                    std::move(done));
    }
    const auto endpoint = endpoint_at(request.uri);
    auto exchange = std::make_shared<Exchange>(loop_, std::move(request), std::move(done));
    exchange->start(endpoint, token_);
    return handle_of(loop_, std::move(exchange));
  }

  Operation observe(Request request, UniqueFunction<void(Notification)> next, Completion<> done) override {
    if (auto checked = check_request(request, true); !checked) {
      return refuse(loop_, std::move(checked).error(), std::move(done));
    }
    auto endpoint = endpoint_at(request.uri);
    auto following = std::make_shared<Following>(loop_, std::move(endpoint), token_, std::move(request),
                                                 std::move(next), std::move(done));
    following->start();
    return handle_of(loop_, std::move(following));
  }

  Operation discover(DiscoverRequest request, UniqueFunction<void(Discovered)> found,
                     Completion<> done) override {
    if (!request.target) {
      return refuse(loop_, make_error(Errc::usage, "a broker to ask for its nodes must be named"),
                    std::move(done));
    }
    auto endpoint = endpoint_at(*request.target);
    auto discovery = std::make_shared<Discovery>(loop_, std::move(endpoint), token_, std::move(request),
                                                 std::move(found), std::move(done));
    discovery->start();
    return handle_of(loop_, std::move(discovery));
  }

 private:
  [[nodiscard]] ws::Endpoint endpoint_at(const Uri& uri) const {
    auto endpoint = endpoint_of(uri, prefix_);
    endpoint.files = files_;
    return endpoint;
  }

  EventLoop& loop_;
  std::string token_;
  std::string prefix_;
  tls::ClientFiles files_;
};

}  // namespace

std::unique_ptr<Client> make_relay_client(EventLoop& loop, std::string token, std::string prefix,
                                          tls::ClientFiles files) {
  return std::make_unique<RelayClient>(loop, std::move(token), std::move(prefix), std::move(files));
}

}  // namespace aiot::relay
