#include "core/relay/observation.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/random.h"
#include "core/model/identity.h"

namespace aiot::relay {

namespace {

using namespace std::chrono_literals;

constexpr Duration kFirstWait = 250ms;
constexpr Duration kLongestWait = 30s;
/// Nodes whose gateway is being asked for at once; a further one is asked for with its next value.
constexpr std::size_t kMetadataAtOnce = 16;

}  // namespace

Observation::Observation(EventLoop& loop, ws::Endpoint endpoint, std::string token, Request request,
                         UniqueFunction<void(Client::Notification)> next, Completion<> done)
    : loop_(loop),
      token_(std::move(token)),
      request_(std::move(request)),
      target_(target_of(request_.uri)),
      endpoint_(std::move(endpoint)),
      next_(std::move(next)),
      done_(std::move(done)) {}

Observation::~Observation() { cancel(); }

void Observation::cancel() {
  done_.dismiss();
  rest_.cancel();
  metadata_.clear();
  socket_.reset();
  deadline_.reset();
  retry_.reset();
}

void Observation::start() {
  deadline_ = loop_.make_timer([this] {
    fail(make_error(Errc::timeout, fmt::format("{}: no first value within {}", request_.uri.text,
                                               format_duration(request_.timeout))));
  });
  deadline_->start(request_.timeout);
  retry_ = loop_.make_timer([this] { connect(); });
  retry_->start(Duration::zero());
}

void Observation::connect() { ask_nodes({}); }

void Observation::ask_nodes(const std::string& cursor) {
  // A pattern may mean any node; a name means one.
  const bool one = target_.uid.find('*') == std::string::npos;
  auto http = one ? node_request(target_.uid, token_, request_.timeout)
                  : page_request(cursor, token_, request_.timeout);
  rest_ = ws::http_request(loop_, endpoint_, std::move(http), [this](Result<ws::HttpClientResponse> answer) {
    nodes_answered(std::move(answer));
  });
}

void Observation::nodes_answered(Result<ws::HttpClientResponse> answer) {
  if (!answer) return disconnected(answer.error());
  const bool one = target_.uid.find('*') == std::string::npos;
  if (answer->status / 100 != 2) {
    const auto problem = problem_of(answer->status, answer->body, false);
    // Once observed, a node may be forgotten and come again.
    if (!answered_ || answer->status != 404) {
      if (!answered_) return fail(problem);
      return disconnected(problem);
    }
    resumed();
    return open_socket();
  }
  resumed();
  if (one) {
    auto node = parse_node(answer->body);
    if (!node) return disconnected(node.error());
    take_node(*std::move(node));
    if (!done_) return;
    return open_socket();
  }
  auto page = parse_page(answer->body);
  if (!page) return disconnected(page.error());
  for (auto& node : page->nodes) {
    if (!target_.matches_node(node.uid)) continue;
    take_node(std::move(node));
    if (!done_) return;
  }
  if (!page->next.empty()) return ask_nodes(page->next);
  open_socket();
}

void Observation::take_node(HeldNode node) {
  const bool one = !target_.is_pattern();
  if (one && !answered_) {
    if (node.resources.count(target_.resource) == 0) {
      return fail(make_error(Errc::rejected,
                             fmt::format("node {} has no resource {}", node.uid, target_.resource), 404));
    }
    if (node.state != NodeState::live && !request_.stale) {
      return fail(make_error(Errc::unreachable, fmt::format("node {} is {}; --stale follows it all the same",
                                                            node.uid, to_string(node.state))));
    }
  }
  auto& known = nodes_[node.uid];
  auto values = std::move(node.resources);
  node.resources = std::move(known.node.resources);
  known.node = std::move(node);
  for (auto& [name, value] : values) {
    if (!target_.matches(known.node.uid, name)) continue;
    const auto before = known.node.resources.find(name);
    if (before != known.node.resources.end() && before->second.bytes == value.bytes) continue;
    if (known.node.state != NodeState::live && !request_.stale && !known.told) continue;
    give(known, name, std::move(value));
    if (!done_) return;
  }
  if (known.node.state == NodeState::live) {
    node_back(known);
  } else {
    node_lost(known, fmt::format("node {} is {}", known.node.uid, to_string(known.node.state)));
  }
}

void Observation::open_socket() {
  if (!done_) return;
  ws::ClientOptions options;
  options.path = "/ws";
  options.timeout = request_.timeout;
  if (!token_.empty()) options.headers.emplace_back("authorization", "Bearer " + token_);
  ws::WsClient::Callbacks callbacks;
  callbacks.opened = [this](const std::string&) {
    socket_->send_text(R"({"type":"new","data":"client"})");
    wait_ = Duration::zero();
    // A pattern may match nothing yet: that the broker listens is the first answer.
    if (target_.is_pattern()) answered();
  };
  callbacks.received = [this](std::string_view message, bool binary) {
    if (!binary) take_message(message);
  };
  callbacks.closed = [this](const Error& why) { disconnected(why); };
  socket_ = ws::WsClient::connect(loop_, endpoint_, std::move(options), std::move(callbacks));
}

void Observation::take_message(std::string_view text) {
  auto message = parse_wire(text);
  if (!message || !target_.matches_node(message->uid)) return;
  if (message->live) settling_ = false;
  using Kind = WireMessage::Kind;
  if (message->kind == Kind::out) {
    if (const auto found = nodes_.find(message->uid); found != nodes_.end()) {
      found->second.node.state = NodeState::out;
      node_lost(found->second, fmt::format("node {} is out", message->uid));
    }
    return;
  }
  if (message->kind == Kind::other) return;
  auto [found, fresh] = nodes_.try_emplace(message->uid);
  auto& known = found->second;
  known.node.uid = message->uid;
  known.node.state = NodeState::live;
  if (fresh || known.node.gateway.empty()) ask_metadata(message->uid);
  node_back(known);
  // After `new` and `reset` the values of before follow again.
  if (message->kind != Kind::update) {
    for (auto& [name, value] : known.node.resources) value.repeated = true;
    return;
  }
  if (!done_) return;
  const auto before = known.node.resources.find(message->resource);
  const bool held = before != known.node.resources.end();
  if (is_identity(message->resource) && !held) {
    if (message->resource == "protocol") known.node.protocol = message->bytes;
    return;
  }
  if (!target_.matches(message->uid, message->resource)) return;
  const bool repeated = held && (std::exchange(before->second.repeated, false) || !message->live);
  if (repeated && before->second.bytes == message->bytes) return;
  give(known, message->resource, HeldValue{std::move(message->bytes), std::nullopt, std::nullopt});
}

void Observation::ask_metadata(const std::string& uid) {
  if (metadata_.count(uid) != 0 || metadata_.size() >= kMetadataAtOnce) return;
  auto answered = [this, uid](Result<ws::HttpClientResponse> answer) {
    // The operation that calls this must outlive the call.
    auto finished = metadata_.extract(uid);
    if (!answer || answer->status != 200) return;
    auto node = parse_node(answer->body);
    const auto found = nodes_.find(uid);
    if (!node || found == nodes_.end()) return;
    found->second.node.gateway = node->gateway;
    found->second.node.protocol = node->protocol;
  };
  metadata_.emplace(uid, ws::http_request(loop_, endpoint_, node_request(uid, token_, request_.timeout),
                                          std::move(answered)));
}

void Observation::give(Known& known, const std::string& resource, HeldValue value) {
  if (!done_) return;
  if (settling_ && known.told && !std::exchange(gap_told_, true)) {
    tell(StreamEvent::Kind::gap, request_.uri.text, "values changed while the broker was out of reach");
  }
  Response response;
  response.uri = target_.is_pattern() ? uri_of(request_.uri, known.node.uid, resource) : request_.uri.text;
  response.resource = resource;
  response.payload = value.bytes;
  response.content_format = value.content_format;
  response.protocol = known.node.protocol;
  const auto now = loop_.wall_now();
  response.time = value.time.value_or(now);
  response.node = known.node.uid;
  response.gateway = known.node.gateway;
  response.state = known.node.state;
  response.age = std::max<Duration>(now - response.time, Duration::zero());
  known.node.resources[resource] = std::move(value);
  known.told = true;
  answered();
  next_(std::move(response));
}

void Observation::tell(StreamEvent::Kind kind, const std::string& uri, std::string reason) {
  if (!done_) return;
  StreamEvent event;
  event.kind = kind;
  event.uri = uri;
  event.reason = std::move(reason);
  event.time = loop_.wall_now();
  next_(std::move(event));
}

void Observation::node_lost(Known& known, const std::string& reason) {
  if (!known.told || std::exchange(known.lost, true)) return;
  tell(StreamEvent::Kind::lost,
       target_.is_pattern() ? uri_of(request_.uri, known.node.uid, target_.resource) : request_.uri.text,
       reason);
}

void Observation::node_back(Known& known) {
  if (!std::exchange(known.lost, false)) return;
  tell(StreamEvent::Kind::resumed,
       target_.is_pattern() ? uri_of(request_.uri, known.node.uid, target_.resource) : request_.uri.text,
       fmt::format("node {} is back", known.node.uid));
}

void Observation::resumed() {
  if (std::exchange(away_, false)) tell(StreamEvent::Kind::resumed, request_.uri.text, "connected again");
}

void Observation::answered() {
  answered_ = true;
  if (deadline_) deadline_->stop();
}

void Observation::fail(Error error) {
  if (!done_) return;
  auto done = std::move(done_);
  cancel();
  done(std::move(error));
}

void Observation::disconnected(const Error& why) {
  if (!done_) return;
  if (!answered_) return fail(why);
  metadata_.clear();
  settling_ = true;
  gap_told_ = false;
  if (!std::exchange(away_, true)) tell(StreamEvent::Kind::lost, request_.uri.text, why.message);
  wait_ = wait_ == Duration::zero() ? kFirstWait : std::min(wait_ * 2, kLongestWait);
  retry_->start(jittered(wait_));
}

}  // namespace aiot::relay
