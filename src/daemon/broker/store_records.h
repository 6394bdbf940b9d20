#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/base/function.h"
#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "daemon/broker/records.h"
#include "daemon/store/store.h"

namespace aiot::broker {

/// Keeps what routing tells in the store, and passes events to the log and to those who follow them.
class StoreRecords final : public Records, public EventSink {
 public:
  StoreRecords(EventLoop& loop, NodeTable& table) : loop_(loop), table_(table) {}

  /// From now on; what comes before is kept nowhere. `store` must outlive this.
  void set_store(store::Store& store) { store_ = &store; }
  /// Fills the table with what an earlier run kept: nodes are stale until their gateway returns.
  void restore(store::Restored restored);

  void update(const Node& node, const Resource& value) override;
  void past_update(const Node& node, const Update& update, bool raw_json) override;
  void last_value(const Node& node, const Resource& value) override;
  void changed(const Node& node) override;
  void forgotten(std::string_view uid) override;
  void gateway(const GatewayRecord& gateway) override;
  void event(const Event& event) override;

  /// Those who follow events: called with each, in order, until the handle is gone.
  class Follower {
   public:
    virtual ~Follower() = default;
    virtual void happened(const store::Event& event) = 0;
  };
  void follow(Follower& follower) { followers_.push_back(&follower); }
  void unfollow(Follower& follower);

 private:
  void flush();

  EventLoop& loop_;
  NodeTable& table_;
  store::Store* store_ = nullptr;
  std::unordered_set<std::string> changed_;  ///< uids, kept together at the end of a turn
  bool posted_ = false;
  log::Limiter limiter_{50};
  std::vector<Follower*> followers_;  ///< null while one leaves during a walk
  bool telling_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace aiot::broker
