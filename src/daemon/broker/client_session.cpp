#include "daemon/broker/client_session.h"

#include <utility>

#include "core/base/log.h"
#include "core/base/random.h"
#include "core/base/text.h"
#include "daemon/broker/pyaiot.h"

namespace aiot::broker {
namespace {

/// A close frame holds 123 bytes of reason.
constexpr std::size_t kMaxReason = 120;

std::string close_reason(std::string_view why) {
  std::string reason = text::escape_controls(why).substr(0, kMaxReason);
  while (!reason.empty() && !text::is_utf8(reason)) reason.pop_back();
  return reason;
}

}  // namespace

ClientSession::ClientSession(Clients& clients, Asks& asks, Principal principal)
    : clients_(clients), asks_(asks), principal_(std::move(principal)), id_(random_uuid()), outbox_(id_) {}

void ClientSession::opened(ws::WsConnection& connection) {
  connection_ = &connection;
  connection.set_source(&outbox_);
  clients_.add(*this);
}

void ClientSession::received(std::string_view message, bool binary) {
  if (binary) return connection_->close(1003, "messages are JSON in text frames");
  auto parsed = pyaiot::parse(message);
  if (!parsed && parsed.error().code == Errc::usage) {
    return asks_.drop_write(Drop::too_large, connection_->peer().text(), parsed.error().message);
  }
  if (!parsed) return connection_->close(1003, close_reason(parsed.error().message));
  switch (parsed->type) {
    case pyaiot::Message::Type::joined:
      if (principal_.may_read()) clients_.join(*this);
      return;
    case pyaiot::Message::Type::update:
      if (!parsed->is_write) {
        log::debug("client {} sent an update that names no node, endpoint and payload",
                   connection_->peer().text());
      } else if (principal_.may_write()) {
        asks_.write(parsed->uid, parsed->value.name, parsed->value.bytes, id_, principal_.label());
      } else {
        // pyaiot's wire has no word for it.
        asks_.drop_write(Drop::not_allowed, connection_->peer().text(), "it needs the role operator");
      }
      return;
    // Only gateways have nodes that can go out or restart.
    case pyaiot::Message::Type::out:
    case pyaiot::Message::Type::reset: return;
  }
}

void ClientSession::closed() {
  clients_.remove(*this);
  connection_ = nullptr;
}

}  // namespace aiot::broker
