#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/client.h"
#include "core/loop/event_loop.h"
#include "core/relay/client_v1.h"
#include "core/relay/observation.h"
#include "core/relay/target.h"
#include "core/ws/ws_client.h"

namespace aiot::relay {

/// One observe through a broker on aiot.client.v1; with a broker that does not speak it, an Observation.
///
/// When the connection goes, it says `lost`, dials with growing waits, says `resumed`, and `gap` when a value
/// has changed meanwhile. A node that goes out, or whose gateway does, is `lost`, one that returns `resumed`.
/// What the broker dropped, because this end was too slow, is a `gap` with its number.
class Following {
 public:
  Following(EventLoop& loop, ws::Endpoint endpoint, std::string token, Request request,
            UniqueFunction<void(Client::Notification)> next, Completion<> done);
  ~Following();
  Following(const Following&) = delete;
  Following& operator=(const Following&) = delete;

  /// Begins on the next turn.
  void start();
  /// Lets go of everything; nothing is called from now on. May be called from `next` and `done`, so the
  /// object itself must live until the next turn.
  void cancel();

 private:
  struct Held {
    std::string bytes;
    bool repeated = false;  ///< its node starts anew: the same value, told once more, is no news
  };
  struct Known {
    client_v1::NodeFacts facts;
    std::map<std::string, Held, std::less<>> values;
    bool told = false;  ///< a value of it has been given out
    bool lost = false;  ///< told as lost
  };

  void connect();
  void opened(const std::string& subprotocol);
  void fall_back();
  void subscribe();
  void take(std::string_view text);
  void take(client_v1::Snapshot snapshot);
  void take(client_v1::Updates updates);
  void take(const client_v1::Gap& gap);
  void snapshot_done();
  void event(const client_v1::Item& item);
  void update(Update update);
  void set_state(Known& known, NodeState state);
  void give(Known& known, Update update);
  [[nodiscard]] std::string uri_of_node(const Known& known) const;
  void tell(StreamEvent::Kind kind, const std::string& uri, std::string reason,
            std::optional<std::uint64_t> missed = {});
  void answered();
  void fail(Error error);
  void disconnected(const Error& why);

  EventLoop& loop_;
  std::string token_;
  Request request_;
  Target target_;
  ws::Endpoint endpoint_;
  UniqueFunction<void(Client::Notification)> next_;
  Completion<> done_;  ///< empty once it has failed or was cancelled
  std::map<std::string, Known, std::less<>> nodes_;
  std::unique_ptr<ws::WsClient> socket_;
  std::unique_ptr<Observation> observation_;  ///< instead of all this
  std::unique_ptr<Timer> deadline_;           ///< until the first answer
  std::unique_ptr<Timer> retry_;
  std::uint64_t id_ = 0;  ///< of the subscription
  bool in_snapshot_ = false;
  bool answered_ = false;
  bool away_ = false;      ///< told as lost, not yet resumed
  bool settling_ = false;  ///< a value that differs now changed while we were away
  bool gap_told_ = false;
  Duration wait_{};
};

}  // namespace aiot::relay
