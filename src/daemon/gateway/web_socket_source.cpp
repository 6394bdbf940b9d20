#include "daemon/gateway/web_socket_source.h"

#include <fmt/core.h>

#include <utility>

#include "core/base/random.h"
#include "core/base/text.h"
#include "core/base/uri.h"
#include "core/ws/bearer.h"
#include "daemon/gateway/identity.h"
#include "daemon/gateway/node_message.h"
#include "daemon/gateway/policy.h"

namespace aiot::gateway {

namespace {

constexpr std::size_t kMaxMessage = 256 * 1024;
constexpr std::size_t kMaxNodes = 65'536;
constexpr std::size_t kMaxQueued = 256UL * 1024;  ///< to a node that does not read
/// A connection names itself so soon, or is given a name.
constexpr Duration kNameTime = std::chrono::seconds(1);
constexpr Duration kTick = std::chrono::milliseconds(250);
/// The broker hears of nodes that only answer pings (policy.cpp, kTellAlive).
constexpr Duration kAliveEvery = std::chrono::seconds(10);
/// Its connection, not its silence, says whether it is there.
constexpr Duration kForEver = std::chrono::hours(24 * 3650);
constexpr std::uint16_t kUnsupported = 1003, kPolicyViolation = 1008, kTryAgain = 1013;

/// The decoded value of `name` in a query; empty when there is none.
std::string query_value(std::string_view query, std::string_view name) {
  for (const auto item : text::split(query, '&')) {
    const auto equals = std::min(item.find('='), item.size());
    if (item.substr(0, equals) != name) continue;
    auto decoded = percent_decode(item.substr(std::min(equals + 1, item.size())));
    return decoded ? *decoded : std::string(item);
  }
  return {};
}

}  // namespace

class WebSocketSource::Session final : public ws::WsSession {
 public:
  Session(WebSocketSource& source, std::string given_id, const SocketAddress& from)
      : id(std::move(given_id)), peer(from), source_(source) {}

  void opened(ws::WsConnection& with) override {
    connection = &with;
    since = source_.loop_.now();
    with.send_text(kWebSocketDiscover);
    if (!id.empty()) {
      source_.join(*this);
    } else {
      source_.nameless_.insert(this);
    }
  }
  void received(std::string_view message, bool binary) override { source_.received(*this, message, binary); }
  void closed() override { source_.closed(*this); }

  std::string id;
  SocketAddress peer;
  std::string token;       ///< with which it came; empty without
  std::string credential;  ///< what that proves
  TimePoint since{};
  bool joined = false;
  ws::WsConnection* connection = nullptr;

 private:
  WebSocketSource& source_;
};

WebSocketSource::WebSocketSource(EventLoop& loop, Policy& policy, AllowList allow, WebSocketFiles files)
    : loop_(loop),
      policy_(policy),
      allow_(std::move(allow)),
      files_(std::move(files)),
      tick_timer_(loop.make_timer([this] { tick(); })) {}

WebSocketSource::~WebSocketSource() = default;

Result<void> WebSocketSource::listen(const SocketAddress& address) {
  if (!files_.tokens.empty()) {
    auto tokens = NodeTokens::read(files_.tokens);
    if (!tokens) return tokens.error();
    tokens_ = std::move(*tokens);
  }
  ws::HttpServerOptions options;
  if (!files_.cert.empty()) {
    auto identity = tls::Identity::load(files_.cert, files_.key, "--ws");
    if (!identity) return identity.error();
    options.identity = identity_ = std::move(*identity);
  }
  if (tokens_ && !identity_ && !address.is_loopback())
    log::warn("ws {} speaks no TLS: nodes' tokens can be read on the way; --ws-cert ends that",
              address.text());
  options.listen = address;
  options.max_message = kMaxMessage;
  options.max_connections = kMaxNodes;
  auto server = ws::HttpServer::listen(
      loop_, options,
      [](const ws::HttpRequest&, ws::HttpResponder responder) {
        ws::HttpResponse response;
        response.status = 404;
        response.body = "nothing here: nodes connect a WebSocket to /node\n";
        responder.reply(std::move(response));
      },
      [this](const ws::UpgradeRequest& request) { return admit(request); });
  if (!server) return server.error();
  server_ = std::move(*server);
  tick_timer_->start(kTick);
  return {};
}

ws::UpgradeDecision WebSocketSource::deny(const ws::UpgradeRequest& request, Drop reason, int status,
                                          std::string why) {
  policy_.drop(reason);
  if (complaints_.allow()) log::warn("WebSocket node {}: {}", request.peer.text(), why);
  return {nullptr, {}, status, std::move(why)};
}

ws::UpgradeDecision WebSocketSource::admit(const ws::UpgradeRequest& request) {
  if (!allow_.admits(request.peer))
    return deny(request, Drop::not_allowed, 403, "nodes of this network are not admitted here");
  if (request.path != "/node" && request.path != "/node/")
    return {nullptr, {}, 404, "nodes connect to /node"};
  auto id = query_value(request.query, "uid");
  if (!id.empty() && !is_node_id(id)) {
    return deny(request, Drop::bad_uid, 400,
                fmt::format("uid '{}': it must be 1 to 64 printable characters without '/', '+' and '#'",
                            text::escape_controls(id)));
  }
  std::string token;
  if (tokens_) {
    token = ws::bearer_of(request.headers);
    const std::string* owner = tokens_->owner(token);
    if (owner == nullptr) {
      return deny(request, Drop::not_allowed, 401,
                  token.empty() ? "nodes need a token here: Authorization: Bearer TOKEN"
                                : "this gateway does not know the token");
    }
    if (!id.empty() && id != *owner) {
      return deny(request, Drop::not_allowed, 403,
                  fmt::format("the token is of '{}', not of '{}'", *owner, text::escape_controls(id)));
    }
    id = *owner;
  }
  ws::UpgradeDecision decision;
  // pyaiot's nodes offer none; to one that does, the first is answered as browsers require.
  if (!request.subprotocols.empty()) decision.subprotocol = request.subprotocols.front();
  auto session = std::make_unique<Session>(*this, std::move(id), request.peer);
  if (!token.empty()) session->credential = "token:" + session->id;
  session->token = std::move(token);
  decision.session = std::move(session);
  return decision;
}

NodeSource WebSocketSource::source(const Session& session) const {
  return {Protocol::websocket, session.id, false, session.peer, false, session.credential};
}

bool WebSocketSource::join(Session& session) {
  nameless_.erase(&session);
  if (session.id.empty()) session.id = random_uuid();
  // Who is refused does not take the place of who is there.
  if (auto taken = policy_.messages().alive(source(session), now()); !taken) {
    refuse(session, kTryAgain, taken.error().message);
    return false;
  }
  Session* before = std::exchange(by_id_[session.id], &session);
  if (before != nullptr && before != &session) {
    before->joined = false;  // its closing is not the node's
    before->connection->close(kPolicyViolation, "the node has connected anew");
  }
  session.joined = true;
  policy_.messages().set_lifetime(Protocol::websocket, session.id, kForEver);
  return true;
}

void WebSocketSource::received(Session& session, std::string_view text, bool binary) {
  if (stopping_) return;
  if (binary) {
    policy_.drop(Drop::bad_message);
    return refuse(session, kUnsupported, "binary messages mean nothing here");
  }
  auto message = parse_web_socket_message(text);
  if (!message) {
    policy_.drop(Drop::bad_message);
    return refuse(session, kUnsupported, message.error().message);
  }
  if (!session.joined) {
    if (!nameless_.contains(&session)) return;  // replaced, or refused: it is closing
    if (!message->uid.empty() && !is_node_id(message->uid)) {
      policy_.drop(Drop::bad_uid);
      return refuse(session, kPolicyViolation,
                    "uid must be 1 to 64 printable characters without '/', '+' and '#'");
    }
    session.id = message->uid;
    if (!join(session)) return;
  }
  for (const auto& [resource, value] : message->values) {
    const auto taken =
        policy_.messages().value(source(session), resource, value.bytes, value.content_format, now());
    if (!taken && complaints_.allow())
      log::warn("WebSocket node {}: {}", session.peer.text(), taken.error().message);
  }
}

void WebSocketSource::refuse(Session& session, std::uint16_t code, const std::string& why) {
  if (complaints_.allow()) log::warn("WebSocket node {}: {}", session.peer.text(), why);
  nameless_.erase(&session);
  // A close frame has room for 123 bytes.
  session.connection->close(code, why.substr(0, 120));
}

void WebSocketSource::closed(Session& session) {
  nameless_.erase(&session);
  if (!session.joined) return;
  by_id_.erase(session.id);
  if (!stopping_) policy_.messages().gone(Protocol::websocket, session.id, now());
}

Result<void> WebSocketSource::tell(const Node& node, const NodeMessage& message) {
  const auto at = by_id_.find(node.id);
  if (at == by_id_.end()) return make_error(Errc::unreachable, "the node is not connected");
  auto& connection = *at->second->connection;
  if (connection.queued_bytes() > kMaxQueued)
    return make_error(Errc::unreachable, "the node does not read what it is sent");
  if (message.kind == NodeMessage::Kind::write) {
    if (!text::is_utf8(message.payload))
      return make_error(Errc::usage, "a WebSocket node takes UTF-8 text only");
    connection.send_text(web_socket_write(message.resource, message.payload));
  } else if (message.ticket != 0) {
    connection.send_text(kWebSocketDiscover);  // for the policy's own sake it was sent on connecting
  }
  return {};
}

void WebSocketSource::reload() {
  if (identity_) {
    if (auto read = identity_->reload(); !read)
      log::error("the certificate of WebSocket nodes' listener stays as it was: {}", read.error().message);
  }
  if (!tokens_) return;
  auto tokens = NodeTokens::read(files_.tokens);
  if (!tokens) return log::error("the nodes' tokens stay as they were: {}", tokens.error().message);
  tokens_ = std::move(*tokens);
  log::info("read the nodes' tokens again: {}", tokens_->size());
  std::vector<Session*> over;
  for (const auto& [id, session] : by_id_) {
    const std::string* owner = tokens_->owner(session->token);
    if (owner == nullptr || *owner != id) over.push_back(session);
  }
  for (Session* session : over) {
    closed(*session);  // what it says until its connection has gone is nobody's
    session->joined = false;
    session->connection->close(kPolicyViolation, "the token is no longer good");
  }
}

void WebSocketSource::tick() {
  const auto time = now();
  for (auto at = nameless_.begin(); at != nameless_.end();) {
    Session& session = **at++;
    if (time.mono - session.since >= kNameTime) join(session);
  }
  if (time.mono - told_alive_ >= kAliveEvery) {
    told_alive_ = time.mono;
    for (const auto& [id, session] : by_id_)
      static_cast<void>(policy_.messages().alive(source(*session), time));
  }
  tick_timer_->start(kTick);
}

void WebSocketSource::stop(Duration deadline, Completion<> done) {
  stopping_ = true;
  tick_timer_->stop();
  server_->shut_down(deadline, std::move(done));
}

}  // namespace aiot::gateway
