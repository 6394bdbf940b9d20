#include "daemon/broker/session_guard.h"

#include <utility>

#include "core/base/log.h"

namespace aiot::broker {

class SessionGuards::Session final : public SessionGuards::Guarded {
 public:
  Session(SessionGuards& guards, std::unique_ptr<ws::WsSession> session, Principal who)
      : Guarded(std::move(who)), guards_(guards), session_(std::move(session)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() override { leave(); }

  void opened(ws::WsConnection& opened) override {
    connection = &opened;
    place = guards_.open_.size();
    guards_.open_.push_back(this);
    session_->opened(opened);
  }
  void received(std::string_view message, bool binary) override { session_->received(message, binary); }
  void closed() override {
    leave();
    session_->closed();
  }

 private:
  void leave() {
    if (std::exchange(connection, nullptr) == nullptr) return;
    auto& open = guards_.open_;
    open[place] = open.back();
    open[place]->place = place;
    open.pop_back();
  }

  SessionGuards& guards_;
  std::unique_ptr<ws::WsSession> session_;
};

std::unique_ptr<ws::WsSession> SessionGuards::guard(std::unique_ptr<ws::WsSession> session,
                                                    Principal principal) {
  return std::make_unique<Session>(*this, std::move(session), std::move(principal));
}

void SessionGuards::close(Guarded& session) {
  log::info("{} at {} may not go on: its user, token or key is gone or changed", session.principal.name,
            session.connection->peer().text());
  session.connection->close(1008, "unauthorized");
}

}  // namespace aiot::broker
