#pragma once

#include <cstdint>
#include <memory>

#include "core/base/log.h"
#include "daemon/simulator/join_queue.h"
#include "daemon/simulator/node_values.h"
#include "daemon/simulator/simulator.h"

namespace aiot {

class Timer;

namespace simulator {

/// What simulations of nodes that speak in messages share: they make their nodes and let them join a few at
/// a time.
class MessageNodes : public Simulation {
 public:
  ~MessageNodes() override;
  Result<void> start() final;
  [[nodiscard]] Counters counters() const override { return counters_; }

 protected:
  MessageNodes(EventLoop& loop, MessageOptions options);

  /// Makes the next node, the `number`-th of all simulations.
  virtual void make_node(std::size_t number) = 0;
  /// Lets the `index`-th of those made join; end_joining() when it has, or cannot for now.
  virtual void join(std::uint32_t index) = 0;
  void end_joining();
  /// A node that joins once more.
  void join_again(std::uint32_t index);

  EventLoop& loop_;
  MessageOptions options_;
  Blueprint blueprint_;
  Counters counters_;
  log::Limiter complaints_;

 private:
  void let_join();

  JoinQueue queue_;
  std::unique_ptr<Timer> joining_;
};

}  // namespace simulator
}  // namespace aiot
