#pragma once

#include <memory>
#include <vector>

#include "core/model/principal.h"
#include "core/ws/http_server.h"

namespace aiot::broker {

/// Every open WebSocket with whose it is, so that those of somebody who was removed or revoked can be closed.
class SessionGuards {
 public:
  /// `session`, known here from its opening to its end.
  [[nodiscard]] std::unique_ptr<ws::WsSession> guard(std::unique_ptr<ws::WsSession> session,
                                                     Principal principal);
  /// Closes, with 1008, each whose `holds(principal)` is false; returns how many.
  template <class Holds>
  std::size_t close_unless(Holds&& holds) {
    std::vector<Guarded*> over;
    for (Guarded* session : open_) {
      if (!holds(session->principal)) over.push_back(session);
    }
    for (Guarded* session : over) close(*session);
    return over.size();
  }
  [[nodiscard]] std::size_t size() const { return open_.size(); }

 private:
  struct Guarded : ws::WsSession {
    explicit Guarded(Principal who) : principal(std::move(who)) {}
    Principal principal;
    ws::WsConnection* connection = nullptr;
    std::size_t place = 0;  ///< in open_
  };
  class Session;
  static void close(Guarded& session);

  std::vector<Guarded*> open_;
};

}  // namespace aiot::broker
