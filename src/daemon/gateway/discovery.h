#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/log.h"
#include "daemon/gateway/effects.h"
#include "daemon/gateway/payload.h"

namespace aiot::gateway {

class Policy;

struct DiscoveryLimits {
  std::size_t active = 256;  ///< nodes being read at once; others queue
  /// Nodes that let a request wait longer than `slow_after` give their place to others, up to so many.
  std::size_t slow = 2048;
  Duration slow_after = std::chrono::seconds(2);
  Duration timeout = std::chrono::seconds(10);  ///< of one request
  std::size_t observations = 16'384;            ///< at once, all nodes; beyond, resources are read once
  Duration first_retry = std::chrono::seconds(30);
  Duration last_retry = std::chrono::hours(1);
};

/// Reads what nodes have: `/.well-known/core`, then each resource but that one, one request at a time to a
/// node; resources marked `obs` are observed. A failure leaves the node as it is and is tried again, with
/// growing waits, at later signs of life.
class Discovery {
 public:
  Discovery(Core& core, Policy& policy, DiscoveryLimits limits = {})
      : core_(core), policy_(policy), limits_(limits) {}

  /// (Re)starts with the node's own list.
  void start(Node& node);
  /// The same with a list that is already known; an empty one only asks whether the node is there.
  void start_with(Node& node, std::vector<Found> resources, bool poll = false);
  /// Forgets all that is under way for the node, observations too.
  void stop(Node& node);
  void sign_of_life(Node& node, const Now& now) {
    if (node.discovery == Node::Discovery::failed && now.mono >= node.retry_after) start(node);
  }
  /// True when the ticket was one of discovery.
  bool responded(Ticket ticket, Result<Response>& result, const Now& now);
  void notified(Ticket ticket, const Response& response, const Now& now);
  /// Starts what waits, and sees who is slow.
  void tick(const Now& now);
  [[nodiscard]] bool observes(const Node& node, std::string_view resource) const;
  [[nodiscard]] std::size_t running() const { return jobs_.size(); }

 private:
  struct Job {
    std::string uid;
    std::vector<Found> todo;
    std::size_t next = 0;
    bool core_step = true;  ///< waiting for /.well-known/core
    bool poll = false;      ///< a repeat of --node: a failure is not a failed discovery
    Node::Discovery before = Node::Discovery::done;  ///< what a poll returns to
    bool at_source = false;  ///< asking the port it last spoke from: the way back through a NAT
    bool slow = false;
    unsigned silent = 0;  ///< requests without an answer in a row
    TimePoint since{};    ///< the request under way was made
    Ticket observing = 0;
  };
  struct Waiting {
    std::vector<Found> resources;
    bool whole = true;
    bool poll = false;
  };
  struct Observation {
    std::string uid, resource;
  };

  void enqueue(Node& node, Waiting waiting);
  void fill();
  void run(Node& node, Waiting waiting);
  void step(Ticket ticket, Job& job, Node& node);
  void finish(Ticket ticket, Node& node);
  void end_job(Ticket ticket, Node& node);
  void next_resource(Ticket ticket, Job& job, Node& node) {
    ++job.next;
    step(ticket, job, node);
  }
  /// The answer under way has come.
  void answered(Job& job);
  void silence(Ticket ticket, Job& job, Node& node, const Error& error, const Now& now);
  void drop_observation(Node& node, Ticket ticket);
  void fail(Ticket ticket, Node& node, const std::string& why, const Now& now);
  void cancel_job(Node& node);
  void core_answered(Ticket ticket, Job& job, Node& node, Result<Response>& result, const Now& now);
  void resource_answered(Ticket ticket, Job& job, Node& node, Result<Response>& result, const Now& now);
  void observation_ended(Ticket ticket, Result<Response>& result, const Now& now);

  Core& core_;
  Policy& policy_;
  DiscoveryLimits limits_;
  TimePoint clock_{};  ///< of the latest event
  std::unordered_map<std::string, Waiting> waiting_;
  std::deque<std::string> order_;  ///< of waiting_, each uid once
  std::unordered_map<Ticket, Job> jobs_;
  std::unordered_map<Ticket, Observation> observations_;
  std::size_t slow_ = 0;
  bool filling_ = false;
  log::Limiter failures_{10};
};

}  // namespace aiot::gateway
