#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/loop/event_loop.h"
#include "daemon/broker/counters.h"
#include "daemon/broker/hub.h"
#include "daemon/broker/interest_index.h"
#include "daemon/broker/subscription.h"
#include "daemon/wire/client_v1.h"

namespace aiot::broker {

/// The hub of aiot.client.v1: tells each subscription what it asked for. An item is encoded once, when
/// somebody wants it; a feed copies it into the batch of the turn, a conflating subscription holds it.
class Followers final : public Hub {
 public:
  Followers(EventLoop& loop, const NodeTable& table, Counters& counters);

  /// Begins a subscription; what its nodes and resources are is checked before.
  [[nodiscard]] std::unique_ptr<Subscription> subscribe(const wire::client_v1::Subscribe& wanted,
                                                        Subscriber& subscriber);
  void end(std::unique_ptr<Subscription> subscription);

  void joined(const Node& node) override;
  void updated(const Node& node, const Resource& resource) override;
  void addressed(const Node& node) override;
  void protocol_told(const Node& node) override;
  void restarted(const Node& node) override;
  void gone(const Node& node) override;
  void given_up(const Node& node) override;
  void handed_over(const Node& node) override;
  void labelled(const Node& node) override;
  void forgotten(const Node& node) override;
  void gateway_up(const GatewayRecord& gateway) override;
  void gateway_down(const GatewayRecord& gateway) override;

  void opened() { ++clients_; }
  void closed() { --clients_; }
  [[nodiscard]] std::size_t clients() const { return clients_; }
  /// Kept for subscriptions that have not taken it yet, and encoded snapshots.
  [[nodiscard]] std::size_t queued_bytes() const;
  /// Brings Counters::delivered up to date.
  void count_delivered();

 private:
  void touch(const Node& node);
  void describe(const Node& node);
  void tell(std::string_view event, const Node& node);
  void tell(std::string_view event, const GatewayRecord& gateway, std::uint32_t what);
  /// An event, to all of the interest that want events.
  void pass(Interest& interest, Conflation::Key key, const std::string& item,
            std::shared_ptr<const std::string>& shared);

  EventLoop& loop_;
  const NodeTable& table_;
  Counters& counters_;
  InterestIndex index_;
  std::vector<std::uint32_t> touched_;  ///< updates of each block of the table
  std::vector<std::size_t> described_;  ///< by slot: what was last said of who the node is, hashed
  std::size_t clients_ = 0;
  std::string item_;  ///< scratch
  std::unique_ptr<Timer> drop_snapshots_;
};

}  // namespace aiot::broker
