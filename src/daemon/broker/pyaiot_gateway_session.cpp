#include <fmt/format.h>

#include <utility>

#include "core/base/random.h"
#include "core/base/text.h"
#include "daemon/broker/gateway_session.h"
#include "daemon/broker/pyaiot.h"

namespace aiot::broker {
namespace {

constexpr std::string_view kAlive = "alive";

}  // namespace

PyaiotGatewaySession::PyaiotGatewaySession(GatewayServices services, Principal principal)
    : services_(services), principal_(std::move(principal)) {}

void PyaiotGatewaySession::opened(ws::WsConnection& connection) {
  connection_ = &connection;
  name_ = principal_.name.empty() ? services_.routing.free_name("pyaiot-" + connection.peer().host())
                                  : principal_.name;
  gateway_ = &services_.routing.connected({name_, {}, {}, "pyaiot", connection.peer().text(), false}, *this,
                                          services_.now());
  gateway_->credential = principal_.id;
  gateway_->proof = principal_.proof;
  log::info("gateway {} connected from {} on pyaiot's wire", name_, connection.peer().text());
  // The broker is the one client that asks for everything; those that join are served from its own table.
  connection.send_text(pyaiot::client_joined(random_uuid()));
}

void PyaiotGatewaySession::closed() {
  connection_ = nullptr;
  if (gateway_ == nullptr) return;
  services_.asks.gateway_gone(*this);
  services_.routing.disconnected(*std::exchange(gateway_, nullptr), *this);
}

void PyaiotGatewaySession::ignored(std::string_view why) {
  services_.counters.drop(Drop::invalid);
  if (limiter_.allow()) log::warn("gateway {}: a message was ignored: {}", name_, why);
}

void PyaiotGatewaySession::received(std::string_view payload, bool binary) {
  if (gateway_ == nullptr) return;
  if (binary) return ignored("binary");
  auto message = pyaiot::parse(payload);
  if (!message) return ignored(message.error().message);
  using Type = pyaiot::Message::Type;
  const Now now = services_.now();
  if (message->type == Type::update && !message->has_endpoint && message->uid == kAlive) {
    gateway_->last_seen = now.wall;  // a sign of life of the gateway itself
    return;
  }
  if (message->uid.empty()) return ignored("no uid");
  if (message->uid == kAlive || text::escape_controls(message->uid) != message->uid) {
    services_.counters.drop(Drop::invalid);
    if (!std::exchange(told_bad_uid_, true)) {
      log::warn("gateway {}: messages of uid \"{}\" are ignored: no node can be named so", name_,
                message->uid);
    }
    return;
  }
  const bool answered = !message->dst.empty() && message->dst != "all";
  Routing& routing = services_.routing;
  switch (message->type) {
    case Type::joined: return routing.node_new(*gateway_, message->uid, answered, now);
    case Type::out: return routing.node_out(*gateway_, message->uid, now);
    case Type::reset: return routing.node_reset(*gateway_, message->uid, now);
    case Type::update: break;
  }
  if (!message->has_endpoint || !message->has_data) return ignored("an update without endpoint or data");
  message->value.time = now.wall;
  routing.node_value(*gateway_, message->uid, std::move(message->value), answered, now);
}

bool PyaiotGatewaySession::ask(const wire::Ask& ask, std::string_view source) {
  if (connection_ == nullptr || connection_->queued_bytes() > kMaxGatewayQueue) return false;
  connection_->send_text(pyaiot::client_write(ask.uid, ask.resource, ask.payload, source));
  return true;
}

void PyaiotGatewaySession::refuse(std::string_view uid, std::string_view reason) {
  // pyaiot's wire has no word for it.
  if (!limiter_.allow()) return;
  services_.events.event(
      {"node_refused", name_, uid, fmt::format("node {} of gateway {} is refused: {}", uid, name_, reason)});
}

void PyaiotGatewaySession::replaced() {
  gateway_ = nullptr;
  services_.asks.gateway_gone(*this);
  if (connection_ != nullptr) connection_->close(1008, "name_conflict");
}

std::size_t PyaiotGatewaySession::queued_bytes() const {
  return connection_ == nullptr ? 0 : connection_->queued_bytes();
}

}  // namespace aiot::broker
