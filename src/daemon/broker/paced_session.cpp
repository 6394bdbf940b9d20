#include "daemon/broker/paced_session.h"

#include <utility>

namespace aiot::broker {

PacedSession::PacedSession(EventLoop& loop, std::unique_ptr<ws::WsSession> session, Rate rate,
                           UniqueFunction<std::uint64_t()> meter, std::uint64_t& pauses)
    : loop_(loop), session_(std::move(session)), rate_(rate), meter_(std::move(meter)), pauses_(pauses) {}

void PacedSession::opened(ws::WsConnection& connection) {
  connection_ = &connection;
  timer_ = loop_.make_timer([this] { connection_->pause_reading(false); });
  session_->opened(connection);
}

void PacedSession::received(std::string_view message, bool binary) {
  const auto before = meter_ ? meter_() : 0;
  session_->received(message, binary);
  const auto count = meter_ ? meter_() - before : 1;
  const auto wait = passed_.charge(rate_, loop_.now(), static_cast<double>(count));
  if (wait <= Duration::zero() || connection_ == nullptr) return;
  // Messages that were read already still come.
  if (!timer_->armed()) {
    ++pauses_;
    connection_->pause_reading(true);
  }
  timer_->start(wait);
}

void PacedSession::closed() {
  timer_.reset();
  connection_ = nullptr;
  session_->closed();
}

}  // namespace aiot::broker
