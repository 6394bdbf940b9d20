#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/tls/identity.h"
#include "core/ws/http_server.h"
#include "daemon/gateway/allow_list.h"
#include "daemon/gateway/message_nodes.h"
#include "daemon/gateway/node_tokens.h"
#include "daemon/gateway/web_socket_files.h"

namespace aiot::gateway {

/// Nodes on WebSockets at /node. One is named by `?uid=` or a `uid` in its first message; one that names
/// itself by neither is a new node each time it connects. It is out when its connection closes. With a file
/// of tokens each has to show one, and its name is the one that goes with that.
class WebSocketSource {
 public:
  WebSocketSource(EventLoop& loop, Policy& policy, AllowList allow, WebSocketFiles files);
  ~WebSocketSource();

  /// Errc::unreachable when the address is in use; others name a file that cannot be used.
  Result<void> listen(const SocketAddress& address);
  [[nodiscard]] SocketAddress bound() const { return server_->bound(); }
  /// Reads tokens and certificate again; those whose token is no longer there are closed. What cannot be read
  /// is logged, and stays as it was.
  void reload();
  Result<void> tell(const Node& node, const NodeMessage& message);
  /// Closes every connection; `done` once they are gone or after `deadline`.
  void stop(Duration deadline, Completion<> done);

 private:
  class Session;
  ws::UpgradeDecision admit(const ws::UpgradeRequest& request);
  ws::UpgradeDecision deny(const ws::UpgradeRequest& request, Drop reason, int status, std::string why);
  void received(Session& session, std::string_view text, bool binary);
  /// The node is there, under the name it has given itself or a random one.
  bool join(Session& session);
  void closed(Session& session);
  void refuse(Session& session, std::uint16_t code, const std::string& why);
  void tick();
  [[nodiscard]] NodeSource source(const Session& session) const;
  [[nodiscard]] Now now() const { return {loop_.now(), loop_.wall_now()}; }

  EventLoop& loop_;
  Policy& policy_;
  AllowList allow_;
  WebSocketFiles files_;
  std::optional<NodeTokens> tokens_;         ///< none: nodes need no token
  std::shared_ptr<tls::Identity> identity_;  ///< null without TLS
  std::unordered_map<std::string, Session*> by_id_;
  std::unordered_set<Session*> nameless_;  ///< open, and may still name themselves
  TimePoint told_alive_{};
  bool stopping_ = false;
  log::Limiter complaints_{10};
  std::unique_ptr<Timer> tick_timer_;
  std::unique_ptr<ws::HttpServer> server_;
};

}  // namespace aiot::gateway
