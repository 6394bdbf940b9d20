#pragma once

#include <memory>
#include <string>

#include "core/base/backoff.h"
#include "core/loop/event_loop.h"
#include "core/ws/ws_client.h"
#include "daemon/gateway/acknowledge_watch.h"
#include "daemon/gateway/outbox.h"

namespace aiot::gateway {

struct UplinkOptions {
  ws::Endpoint broker;
  std::string name;
  std::string site;
  /// Makes the bearer token anew for each attempt.
  UniqueFunction<Result<std::string>()> token;
};

/// The connection to the broker (aiot.gateway.v1): dials for ever, with growing jittered waits; what happens
/// in one turn of the loop leaves together at its end, once it is in the journal.
class Uplink {
 public:
  struct Callbacks {
    UniqueFunction<void(const wire::Ask&)> ask;
    UniqueFunction<void(const wire::Refused&)> refused;
    UniqueFunction<void(const wire::Freed&)> freed;
    UniqueFunction<wire::Report()> report;  ///< asked for now and then
  };
  Uplink(EventLoop& loop, NodeTable& table, Journal& journal, UplinkOptions options, Callbacks callbacks);
  ~Uplink();

  void start();
  void update(Node& node, Resource& resource) {
    outbox_.update(node, resource);
    if (connected_) schedule();
  }
  void item(wire::Item item) {
    outbox_.item(std::move(item));
    if (connected_) schedule();
  }
  void answer(const wire::Answer& answer);
  /// Sends what is left and closes; `done` once it is closed or after `deadline`.
  void stop(Duration deadline, Completion<> done);
  /// The journal has read what was waited for.
  void readable() {
    if (connected_) schedule();
  }
  [[nodiscard]] UplinkCounters counters() const { return outbox_.counters(); }

 private:
  void dial();
  void opened(const std::string& subprotocol);
  void received(std::string_view text);
  void welcomed(const wire::Welcome& welcome);
  void closed(const Error& why);
  void give_up_on(std::string_view why);
  void watch();
  void flush();
  void report();
  void schedule() {
    if (!flush_timer_->armed()) flush_timer_->start(Duration(0));
  }

  EventLoop& loop_;
  UplinkOptions options_;
  Callbacks callbacks_;
  Journal& journal_;
  Outbox outbox_;
  std::unique_ptr<ws::WsClient> client_;
  std::unique_ptr<Timer> retry_timer_;
  std::unique_ptr<Timer>
      reap_timer_;  ///< frees a closed client, outside of its callbacks and before the next
  std::unique_ptr<Timer> watch_timer_;  ///< for the welcome, then for acknowledgements
  std::unique_ptr<Timer> flush_timer_;
  std::unique_ptr<Timer> report_timer_;
  std::unique_ptr<Timer> stop_timer_;
  Completion<> stopped_;
  Backoff backoff_;
  bool open_ = false;       ///< the WebSocket is
  bool connected_ = false;  ///< welcomed
  bool stopping_ = false;
  bool displaced_ = false;  ///< another gateway has connected with this one's name
  TimePoint dialled_at_{};
  TimePoint connected_at_{};
  std::uint64_t failures_ = 0;
  std::uint64_t in_a_row_ = 0;
  AcknowledgeWatch owed_;
  std::string last_failure_;
};

}  // namespace aiot::gateway
