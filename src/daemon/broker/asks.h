#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/completion.h"
#include "core/base/function.h"
#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "daemon/broker/counters.h"
#include "daemon/broker/gateway_link.h"
#include "daemon/broker/histogram.h"
#include "daemon/broker/node_table.h"
#include "daemon/wire/gateway_v1.h"

namespace aiot::broker {

inline constexpr std::size_t kMaxPendingAsks = 4096;

/// A read or write for a node, as REST takes it.
struct NodeRequest {
  Method method = Method::put;
  std::string uid, resource;
  std::string payload;
  std::optional<std::uint16_t> content_format;
  Duration timeout = std::chrono::seconds(10);  ///< until the caller must know
  Duration expires = std::chrono::seconds(10);  ///< until when it may be delivered
  std::string by;                               ///< whose it is, for its event
};

/// Reads and writes on their way to nodes: sent to the node's gateway, settled by the gateway's answer, by
/// the echo of the value (pyaiot's gateways) or by their deadline, whichever comes first.
class Asks {
 public:
  Asks(EventLoop& loop, NodeTable& table, Counters& counters, Histogram& durations);
  /// What is pending is dropped without an answer.
  ~Asks();
  Asks(const Asks&) = delete;
  Asks& operator=(const Asks&) = delete;

  /// The answer, or an Error with its outcome: unreachable and not_sent when the node is not live or the
  /// queue is full, usage for what the node's gateway has no word for, timeout and unknown when the deadline
  /// passed. `done` is called on a later turn.
  void request(const NodeRequest& request, Completion<wire::Answer> done);
  /// A pyaiot client's write: nobody is answered; what fails is logged, what cannot be sent counted too.
  void write(std::string_view uid, std::string_view resource, std::string_view payload,
             std::string_view source, std::string by = {});
  /// Counts and logs a pyaiot client's write that goes no further; `what` says which or whose.
  void drop_write(Drop why, std::string_view what, std::string_view reason);

  /// Told what came of each request that was sent.
  using Settled = UniqueFunction<void(const NodeRequest&, const Result<wire::Answer>&)>;
  void set_settled(Settled settled) { settled_ = std::move(settled); }

  void answered(const GatewayLink& link, wire::Answer answer);
  /// A value came from a node: perhaps the echo of a write.
  void heard(const Node& node, const Resource& resource);
  /// What was asked of that gateway stays unknown.
  void gateway_gone(const GatewayLink& link);

  [[nodiscard]] std::size_t pending() const { return pending_.size(); }

 private:
  struct Pending {
    const GatewayLink* link = nullptr;
    Method method = Method::put;
    std::string uid, resource, payload, by;
    bool by_echo = false;
    TimePoint started{};
    TimePoint deadline{};
    Completion<wire::Answer> done;  ///< empty for a pyaiot client's
  };
  using PendingMap = std::map<std::uint64_t, Pending>;

  /// The node's gateway, or why it cannot be asked.
  Result<GatewayLink*> route(const NodeRequest& request) const;
  void refuse(Error error, Completion<wire::Answer> done);
  void await(std::uint64_t id, const GatewayLink& link, const NodeRequest& request,
             Completion<wire::Answer> done);
  void settle(PendingMap::iterator entry, Result<wire::Answer> result);
  void expire();
  void arm();

  EventLoop& loop_;
  NodeTable& table_;
  Counters& counters_;
  Histogram& durations_;
  log::Limiter limiter_;
  std::string source_;  ///< the broker's own id, as the writing client on pyaiot's wire
  std::uint64_t next_id_ = 1;
  PendingMap pending_;
  Settled settled_;
  std::size_t echoes_ = 0;  ///< pending ones that wait for an echo
  std::map<std::pair<TimePoint, std::uint64_t>, bool> deadlines_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace aiot::broker
