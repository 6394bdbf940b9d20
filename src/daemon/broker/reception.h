#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/log.h"
#include "core/ws/http_server.h"
#include "daemon/broker/session_guard.h"

namespace aiot {

class EventLoop;

namespace store {
class Store;
}

namespace broker {

class Access;
class Asks;
class Clients;
class Followers;
class Rest;
class Routing;
class StoreRecords;
struct Counters;
struct Options;

/// What the sessions work with.
struct ReceptionServices {
  EventLoop& loop;
  const Options& options;
  Access& access;
  Clients& clients;
  Followers& followers;
  Asks& asks;
  Routing& routing;
  Rest& rest;
  std::unique_ptr<store::Store>& store;  ///< there from the broker's start on
  StoreRecords& records;
  Counters& counters;
};

/// Decides who may open a WebSocket and gives him the session of what he speaks: /ws and /gw, in aiot's and
/// pyaiot's words.
class Reception {
 public:
  explicit Reception(ReceptionServices services);
  Reception(const Reception&) = delete;
  Reception& operator=(const Reception&) = delete;

  [[nodiscard]] ws::UpgradeDecision decide(const ws::UpgradeRequest& request);
  /// The same where pyaiot's wire alone is spoken.
  [[nodiscard]] ws::UpgradeDecision decide_legacy(const ws::UpgradeRequest& request);

  /// Whether a page of that origin may use this broker, which it calls `host`.
  [[nodiscard]] bool may_come_from(std::string_view origin, std::string_view host) const;
  /// Whether a request may call this broker `host`: any name will do unless those that this machine lets in
  /// may read without credentials.
  [[nodiscard]] bool may_be_called(std::string_view host) const;

  /// Closes the sessions of those for whom `holds(principal)` is false.
  template <class Holds>
  void close_unless(Holds&& holds) {
    guards_.close_unless(std::forward<Holds>(holds));
  }

 private:
  ws::UpgradeDecision admit_client(const ws::UpgradeRequest& request);
  ws::UpgradeDecision admit_gateway(const ws::UpgradeRequest& request);
  ws::UpgradeDecision refuse(const ws::UpgradeRequest& request, int status, std::string why);
  /// Reads the session no faster than its kind may speak.
  ws::UpgradeDecision pace(ws::UpgradeDecision decision, bool is_gateway);

  ReceptionServices services_;
  std::string own_name_;
  SessionGuards guards_;
  log::Limiter refusals_;
};

}  // namespace broker
}  // namespace aiot
