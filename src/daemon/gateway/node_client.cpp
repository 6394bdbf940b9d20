#include "daemon/gateway/node_client.h"

#include <fmt/core.h>

#include "core/base/text.h"
#include "core/codec/link_format.h"

namespace aiot::gateway {

std::string resource_uri(const SocketAddress& node, std::string_view resource, std::string_view scheme) {
  std::string out = fmt::format("{}://{}:{}", scheme, node.uri_host(), node.port());
  const auto mark = resource.find('?');
  for (const auto segment : text::split(resource.substr(0, mark), '/')) out += "/" + percent_encode(segment);
  if (mark == std::string_view::npos) return out;
  char separator = '?';
  for (const auto item : text::split(resource.substr(mark + 1), '&')) {
    out.push_back(separator);
    separator = '&';
    const auto equals = item.find('=');
    out += percent_encode(item.substr(0, equals));
    if (equals != std::string_view::npos) out += "=" + percent_encode(item.substr(equals + 1));
  }
  return out;
}

namespace {

Result<Request> to_request(NodeRequest& from) {
  if (from.secure && from.from.empty()) {
    return make_error(
        Errc::unreachable,
        fmt::format("{}: it has opened no secure session since this gateway started", from.to.text()));
  }
  auto uri = parse_uri(resource_uri(from.to, from.resource, from.secure ? "coaps" : "coap"));
  if (!uri) return uri.error();
  Request out;
  out.uri = std::move(*uri);
  out.method = from.method;
  out.payload = std::move(from.payload);
  out.content_format = from.content_format;
  out.timeout = from.timeout;
  return out;
}

}  // namespace

NodeClient::NodeClient(EventLoop& loop, Callbacks callbacks) : loop_(loop), callbacks_(std::move(callbacks)) {
  coap::ClientLimits limits;
  // Thousands of nodes are read once after they join: their sockets must not linger.
  limits.idle_session = std::chrono::seconds(2);
  limits.max_payload = kMaxLinkFormatBytes;
  client_ = coap::CoapClient::make(loop, limits);
}

void NodeClient::request(NodeRequest request) {
  const Ticket ticket = request.ticket;
  auto done = [this, ticket](Result<Response> result) {
    const auto ended = operations_.extract(ticket);  // before the answer makes a new one of the same ticket
    callbacks_.responded(ticket, std::move(result));
  };
  auto converted = to_request(request);
  if (!converted) {
    auto timer = std::shared_ptr<Timer>(
        loop_.make_timer([done, error = converted.error()]() mutable { done(std::move(error)); }));
    timer->start(Duration(0));
    operations_[ticket] = Operation([timer] { timer->stop(); });
    return;
  }
  operations_[ticket] = request.from.empty()
                            ? client_->request(std::move(*converted), std::move(done))
                            : client_->request_from(request.from, std::move(*converted), std::move(done));
}

void NodeClient::observe(NodeRequest request) {
  const Ticket ticket = request.ticket;
  auto converted = to_request(request);
  if (!converted) return this->request(std::move(request));  // reports the error
  operations_[ticket] = client_->observe_from(
      request.secure ? request.from : SocketAddress(), std::move(*converted),
      [this, ticket](Client::Notification notification) {
        if (auto* response = std::get_if<Response>(&notification)) callbacks_.notified(ticket, *response);
      },
      [this, ticket](Result<> result) {
        const auto ended = operations_.extract(ticket);
        callbacks_.responded(
            ticket, result ? make_error(Errc::rejected, "the observation ended") : std::move(result).error());
      });
}

}  // namespace aiot::gateway
