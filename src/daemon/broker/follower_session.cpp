#include "daemon/broker/follower_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/log.h"
#include "core/base/uri.h"
#include "daemon/broker/client_v1_json.h"
#include "daemon/broker/follower_limits.h"

namespace aiot::broker {
namespace {

namespace v1 = wire::client_v1;

constexpr Duration kHelloDeadline = std::chrono::seconds(10);

std::string path_of(std::string_view node, std::string_view resource) {
  return fmt::format("{}nodes/{}/resources/{}", kApiPrefix, percent_encode(node), percent_encode(resource));
}

void add_query(std::string& query, std::string_view name, const std::optional<Duration>& duration) {
  if (!duration) return;
  if (!query.empty()) query += '&';
  query += fmt::format("{}={}ms", name, *duration / std::chrono::milliseconds(1));
}

}  // namespace

FollowerSession::FollowerSession(FollowerServices services, Principal principal, std::string host)
    : services_(services), principal_(std::move(principal)), host_(std::move(host)) {}

FollowerSession::~FollowerSession() { end_all(); }

void FollowerSession::opened(ws::WsConnection& connection) {
  connection_ = &connection;
  connection.set_source(this);
  services_.followers.opened();
  hello_deadline_ = services_.loop.make_timer([this] { fail("timeout", "no hello within 10 s"); });
  hello_deadline_->start(kHelloDeadline);
}

void FollowerSession::closed() {
  connection_ = nullptr;
  services_.followers.closed();
  hello_deadline_.reset();
  end_all();
}

void FollowerSession::end_all() {
  for (auto& subscription : subscriptions_) services_.followers.end(std::move(subscription));
  subscriptions_.clear();
}

void FollowerSession::send(std::string_view text) {
  if (connection_ == nullptr || failed_) return;
  connection_->send_text(text);
  if (connection_->queued_bytes() <= kMaxReplies) return;
  failed_ = true;
  ++services_.counters.slow_clients;
  log::warn("client {} does not read its answers; dropped", connection_->peer().text());
  connection_->abort();
}

void FollowerSession::fail(std::string_view code, std::string_view message) {
  if (connection_ == nullptr || failed_) return;
  log::debug("client {}: {}", connection_->peer().text(), message);
  send(client_v1::failure(code, message));
  failed_ = true;
  connection_->close(1008, code);
}

void FollowerSession::received(std::string_view text, bool binary) {
  if (failed_) return;
  if (binary) return fail("rejected", "messages are JSON in text frames");
  if (text.size() > kMaxClientMessage) return fail("rejected", "a message above 1 MiB");
  auto message = v1::parse(text);
  if (!message) {
    if (message.error().code == Errc::usage) return;  // a type of a newer version
    return fail("rejected", message.error().message);
  }
  if (const auto* first = std::get_if<v1::Hello>(&*message)) return hello(*first);
  if (!welcomed_) return fail("usage", "the first message must be hello");
  if (auto* wanted = std::get_if<v1::Subscribe>(&*message)) return subscribe(std::move(*wanted));
  if (const auto* ended = std::get_if<v1::Unsubscribe>(&*message)) return unsubscribe(ended->id);
  if (const auto* ack = std::get_if<v1::Ack>(&*message)) return acknowledge(*ack);
  if (const auto* asked = std::get_if<v1::Read>(&*message)) return read(*asked);
  write(std::get<v1::Write>(*message));
}

void FollowerSession::hello(const v1::Hello& hello) {
  if (welcomed_) return fail("usage", "a second hello");
  if (hello.version != 1) return fail("usage", "this broker speaks version 1");
  welcomed_ = true;
  hello_deadline_.reset();
  send(client_v1::welcome());
}

void FollowerSession::subscribe(v1::Subscribe wanted) {
  const auto refuse = [&](Errc code, std::string why) {
    send(client_v1::refused(wanted.id, make_error(code, std::move(why))));
  };
  if (!principal_.may_read()) return refuse(Errc::unauthorized, "not allowed");
  const bool taken = std::any_of(subscriptions_.begin(), subscriptions_.end(),
                                 [&](const auto& at) { return at->id() == wanted.id; });
  if (taken) return refuse(Errc::usage, fmt::format("there is a subscription with id {}", wanted.id));
  if (subscriptions_.size() >= kMaxSubscriptions) {
    return refuse(Errc::usage, fmt::format("a session has at most {} subscriptions", kMaxSubscriptions));
  }
  const std::size_t patterns = wanted.nodes.size() + wanted.resources.size();
  if (patterns > v1::kMaxPatterns) {
    return refuse(Errc::usage, fmt::format("a subscription has at most {} patterns", v1::kMaxPatterns));
  }
  std::size_t all = patterns;
  for (const auto& at : subscriptions_) all += at->interest().patterns();
  if (all > kMaxSessionPatterns) {
    return refuse(Errc::usage, fmt::format("a session has at most {} patterns", kMaxSessionPatterns));
  }
  const auto globs = std::count_if(wanted.nodes.begin(), wanted.nodes.end(), [](const std::string& pattern) {
    return pattern.find('*') != std::string::npos;
  });
  if (static_cast<std::size_t>(globs) > kMaxNodeGlobs) {
    return refuse(Errc::usage,
                  fmt::format("a subscription has at most {} patterns of nodes with a *", kMaxNodeGlobs));
  }
  for (const std::string& uid : wanted.nodes) {
    if (uid.find('*') == std::string::npos && !principal_.scope.covers_node(uid)) {
      return refuse(Errc::unauthorized, fmt::format("the token is not for {}", uid));
    }
  }
  subscriptions_.push_back(services_.followers.subscribe(wanted, *this, principal_.scope));
}

void FollowerSession::unsubscribe(std::uint64_t id) {
  const auto found = std::find_if(subscriptions_.begin(), subscriptions_.end(),
                                  [&](const auto& at) { return at->id() == id; });
  if (found != subscriptions_.end()) {
    services_.followers.end(std::move(*found));
    subscriptions_.erase(found);
    turn_ = 0;
  }
  send(client_v1::unsubscribed(id));
}

void FollowerSession::acknowledge(const v1::Ack& ack) {
  for (const auto& subscription : subscriptions_) {
    if (subscription->id() == ack.id) subscription->acknowledged(ack.batches);
  }
}

void FollowerSession::read(const v1::Read& read) {
  ws::HttpRequest request;
  request.method = "GET";
  request.path = path_of(read.node, read.resource);
  if (read.live) {
    request.query = "live=true";
    add_query(request.query, "timeout", read.deadline);
  }
  ask(read.id, false, std::move(request));
}

void FollowerSession::write(const v1::Write& write) {
  ws::HttpRequest request;
  request.method = to_string(write.method);
  request.path = path_of(write.node, write.resource);
  add_query(request.query, "timeout", write.deadline);
  add_query(request.query, "expires", write.expires);
  if (write.key) request.headers.emplace_back("idempotency-key", *write.key);
  for (const auto& [name, json] : {std::pair("value", &write.value), std::pair("encoding", &write.encoding),
                                   std::pair("format", &write.format)}) {
    if (json->empty()) continue;
    request.body += fmt::format("{}\"{}\":{}", request.body.empty() ? "{" : ",", name, *json);
  }
  if (!request.body.empty()) request.body += '}';
  ask(write.id, true, std::move(request));
}

/// Reads and writes are REST's: the same limits, outcomes and keys.
void FollowerSession::ask(std::uint64_t id, bool write, ws::HttpRequest request) {
  if (under_way_ >= kMaxRequests) {
    Error full = make_error(Errc::internal, fmt::format("{} requests are under way", kMaxRequests));
    if (write) full.outcome = Outcome::not_sent;
    return send(client_v1::result(id, full));
  }
  ++under_way_;
  request.headers.emplace_back("host", host_);
  request.peer = connection_->peer();
  services_.rest.handle(std::move(request),
                        ws::HttpResponder([this, id, write, alive = std::weak_ptr<char>(alive_)](
                                              const ws::HttpResponse& answer) {
                          if (alive.expired()) return;
                          --under_way_;
                          send(client_v1::result(id, write, answer));
                        }),
                        principal_);
}

std::string_view FollowerSession::peek() {
  for (std::size_t asked = 0; asked < subscriptions_.size(); ++asked) {
    if (const auto frames = subscriptions_[turn_]->peek(); !frames.empty()) return frames;
    turn_ = (turn_ + 1) % subscriptions_.size();
  }
  return {};
}

void FollowerSession::consume(std::size_t bytes) {
  subscriptions_[turn_]->consume(bytes);
  turn_ = (turn_ + 1) % subscriptions_.size();
}

void FollowerSession::wake() {
  if (connection_ != nullptr) connection_->wake();
}

std::size_t FollowerSession::share() const {
  return services_.outbox_bytes / std::max<std::size_t>(1, subscriptions_.size());
}

}  // namespace aiot::broker
