#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/client.h"
#include "core/loop/event_loop.h"
#include "core/relay/rest.h"
#include "core/ws/ws_client.h"

namespace aiot::relay {

/// One observe through a broker: REST tells who the nodes are and what they last said, `/ws` what comes.
///
/// Each connection starts with the nodes by REST and then the snapshot of `/ws`: a value that is already
/// known is told once. When the connection goes, it says `lost`, dials with growing waits, says `resumed`,
/// and `gap` when a value has changed meanwhile. A node that goes out is `lost`, one that returns `resumed`.
class Observation {
 public:
  Observation(EventLoop& loop, ws::Endpoint endpoint, std::string token, Request request,
              UniqueFunction<void(Client::Notification)> next, Completion<> done);
  ~Observation();
  Observation(const Observation&) = delete;
  Observation& operator=(const Observation&) = delete;

  /// Begins on the next turn.
  void start();
  /// Lets go of everything; nothing is called from now on. May be called from `next` and `done`, so the
  /// object itself must live until the next turn.
  void cancel();

 private:
  struct Known {
    HeldNode node;
    bool told = false;  ///< a value of it has been given out
    bool lost = false;  ///< told as lost
  };

  void connect();
  void ask_nodes(const std::string& cursor);
  void nodes_answered(Result<ws::HttpClientResponse> answered);
  void take_node(HeldNode node);
  void open_socket();
  void take_message(std::string_view text);
  void ask_metadata(const std::string& uid);
  void give(Known& known, const std::string& resource, HeldValue value);
  void tell(StreamEvent::Kind kind, const std::string& uri, std::string reason);
  void node_lost(Known& known, const std::string& reason);
  void node_back(Known& known);
  void resumed();
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
  Operation rest_;
  std::map<std::string, Operation> metadata_;
  std::unique_ptr<Timer> deadline_;  ///< until the first answer
  std::unique_ptr<Timer> retry_;
  bool answered_ = false;
  bool away_ = false;      ///< told as lost, not yet resumed
  bool settling_ = false;  ///< a value that differs now changed while we were away
  bool gap_told_ = false;
  Duration wait_{};
};

}  // namespace aiot::relay
