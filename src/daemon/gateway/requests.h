#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/gateway/effects.h"

namespace aiot::gateway {

class Policy;

inline constexpr std::size_t kMaxRequests = 4096;

/// Reads and writes that the broker asks for: to the node's server at its port, then at the port it last
/// spoke from (the way back through a NAT), each once, within the deadline.
class Requests {
 public:
  Requests(Core& core, Policy& policy) : core_(core), policy_(policy) {}

  void ask(const wire::Ask& ask, const Now& now);
  /// The node posted a value: a write of that same value needs no update of its own.
  void posted(const Node& node, std::string_view resource, std::string_view value);
  /// True when the ticket was one of these.
  bool responded(Ticket ticket, Result<Response>& result, const Now& now);
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  /// Answers `ask` with a failure.
  void fail(const wire::Ask& ask, Error error);

 private:
  struct Pending {
    wire::Ask ask;
    TimePoint asked{};
    bool at_source = false;        ///< this attempt goes to the node's source port
    bool may_try_other = false;    ///< one more place is left
    bool echoed = false;           ///< the node posted the written value itself
    bool maybe_delivered = false;  ///< an attempt left and got no answer
  };
  void attempt(Ticket ticket, Pending& pending, Node& node, Duration timeout);
  bool try_other(Ticket ticket, Pending& pending, Node& node, const Error& error, const Now& now);
  void succeed(Pending& pending, Node* node, Response& response, const Now& now);

  Core& core_;
  Policy& policy_;
  std::unordered_map<Ticket, Pending> pending_;
};

}  // namespace aiot::gateway
