#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/model/principal.h"
#include "core/ws/http_server.h"
#include "daemon/broker/access.h"
#include "daemon/broker/attempt_limits.h"
#include "daemon/broker/records.h"

namespace aiot::broker {

/// /login, /logout and /setup: forms that a browser sends without a script.
class LoginRoutes {
 public:
  struct Counters {
    std::uint64_t succeeded = 0, failed = 0, limited = 0;
  };

  LoginRoutes(EventLoop& loop, Access& access, EventSink& events);
  ~LoginRoutes();
  LoginRoutes(const LoginRoutes&) = delete;
  LoginRoutes& operator=(const LoginRoutes&) = delete;

  [[nodiscard]] static bool takes(std::string_view path);
  /// `principal` is who asks; a POST's origin is checked before.
  void handle(const ws::HttpRequest& request, ws::HttpResponder responder, const Principal& principal);
  /// Somebody was logged out, or removed: called so that his connections can be closed.
  void set_changed(UniqueFunction<void()> changed) { changed_ = std::move(changed); }

  /// The path of a page that makes the first user, good once and until there is one; empty without a users
  /// file.
  [[nodiscard]] std::string make_setup_path();
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  struct Attempt;
  void log_in(const ws::HttpRequest& request, ws::HttpResponder responder);
  void log_out(const ws::HttpRequest& request, ws::HttpResponder responder, const Principal& principal);
  void set_up(const ws::HttpRequest& request, ws::HttpResponder responder);
  void start(std::unique_ptr<Attempt> attempt);
  void look_at_next();
  void checked(Attempt& attempt);
  void made(Attempt& attempt);
  [[nodiscard]] ws::HttpResponse welcome(const std::string& user, std::string_view next, bool secure);
  void tell(std::string_view type, std::string message, const ws::HttpRequest& request,
            const std::string& user);
  [[nodiscard]] bool may_set_up(std::string_view code) const;

  EventLoop& loop_;
  Access& access_;
  EventSink& events_;
  UniqueFunction<void()> changed_;
  AttemptLimits by_address_, by_user_;
  log::Limiter limited_;
  Counters counters_;
  std::string setup_code_;
  std::deque<std::unique_ptr<Attempt>> waiting_;
  std::optional<Operation> under_way_;  ///< the password that a worker looks at
};

}  // namespace aiot::broker
