#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/coap/coap_server.h"
#include "daemon/gateway/claims.h"
#include "daemon/gateway/directory.h"
#include "daemon/gateway/discovery.h"
#include "daemon/gateway/effects.h"
#include "daemon/gateway/message_nodes.h"
#include "daemon/gateway/named_nodes.h"
#include "daemon/gateway/node_table.h"
#include "daemon/gateway/requests.h"

namespace aiot::gateway {

struct PolicyOptions {
  std::string site;
  Duration max_time = std::chrono::seconds(120);
  std::vector<std::pair<std::string, Duration>> max_time_for;  ///< uid pattern to time; the first that fits
  TableLimits limits;
  Rate node_rate;                                 ///< of each node's updates; none by default
  std::size_t value_bytes = 256UL * 1024 * 1024;  ///< of all nodes' values and registered links together
  bool trust_first_use = false;                   ///< a uid stays with the address that used it first
  std::vector<std::string> release;  ///< patterns of uids whose address of an earlier run does not count
};

/// A node as the state file keeps it.
struct SavedNode {
  std::string uid;
  Protocol protocol = Protocol::coap;
  std::string id;         ///< of every other protocol
  SocketAddress address;  ///< empty for MQTT
  std::string credential;
  std::uint16_t server_port = 5683;
  bool read = false;  ///< what it has is known
  Duration agreed_silence{};
  bool out = false;  ///< it had been silent or withdrawn: only a message of its own brings it back
  WallTime first_seen{};
  WallTime last_seen{};
  std::vector<Resource> resources;
  std::optional<Registration> registration;
};

/// What the gateway makes of its nodes' messages (contracts section 3). Pure: it knows no socket, no clock
/// and no loop; events come in with their time, Effects go out.
class Policy {
 public:
  Policy(PolicyOptions options, Effects& effects);

  // Messages of nodes; the reply is what to answer at once.
  coap::ServerReply alive(std::string_view payload, const coap::Peer& peer, const Now& now);
  coap::ServerReply post(std::string_view payload, const coap::Peer& peer, const Now& now);
  coap::ServerReply enroll(const std::vector<std::string_view>& query, std::string_view links,
                           const coap::Peer& peer, const Now& now);
  coap::ServerReply enroll_simple(const std::vector<std::string_view>& query, const coap::Peer& peer,
                                  const Now& now);
  coap::ServerReply renew(std::string_view id, const std::vector<std::string_view>& query,
                          const coap::Peer& peer, const Now& now);
  coap::ServerReply withdraw(std::string_view id, const Now& now);
  /// RFC 9176 section 6: what is registered, as links; `endpoints` lists the registrations themselves.
  [[nodiscard]] coap::ServerReply look_up(const std::vector<std::string_view>& query, bool endpoints) const;

  /// Where the gateway is bound: nodes on its own host are not looked for there.
  void listening(std::vector<SocketAddress> bound) { core_.listening = std::move(bound); }

  // Results of what Effects were asked for.
  void responded(Ticket ticket, Result<Response> result, const Now& now);
  void notified(Ticket ticket, const Response& response, const Now& now);

  // The broker.
  void ask(const wire::Ask& ask, const Now& now);
  void refused(std::string_view uid, std::string_view reason, const Now& now);
  /// The gateway that had the node has let it go.
  void freed(std::string_view uid, const Now& now);

  /// A node to be asked by the gateway (--node), at `address` once its name is resolved.
  void name(const std::string& id, const SocketAddress& address, const Now& now);

  [[nodiscard]] bool is_named_live(const std::string& id);

  /// Time passes; how long until the next call is due at the latest.
  Duration tick(const Now& now);

  /// A node of an earlier run.
  void restore(SavedNode node, const Now& now);

  /// Nodes that speak in messages.
  [[nodiscard]] MessageNodes& messages() { return messages_; }

  [[nodiscard]] NodeTable& table() { return table_; }
  [[nodiscard]] const NodeCounters& counters();
  void drop(Drop reason) {
    ++counters_.received;
    counters_.drop(reason);
  }

 private:
  friend class Discovery;
  friend class Requests;
  friend class Claims;
  friend class Directory;
  friend class NamedNodes;
  friend class MessageNodes;

  /// By trust on first use that address may not speak for the node; told as a conflict.
  [[nodiscard]] bool is_stranger(const Node& node, const SocketAddress& address, const Now& now);
  [[nodiscard]] Duration lifetime_of(std::string_view uid) const;
  /// A new, or formerly out, node is live: tells the broker.
  void join(Node& node, const Now& now);
  /// Any message of a node that already is where it says: the node lives.
  void seen(Node& node, const Now& now);
  /// The same of a message that brings no value: now and then the broker hears of it.
  void still_there(Node& node, const Now& now);
  /// Asks it for what it has.
  void discover(Node& node);
  void reset(Node& node, const Now& now);
  void move(Node& node, const coap::Peer& peer, bool was_reset, const Now& now);
  void take_out(Node& node, const Now& now);
  /// Stores a value and tells the broker; false when a bound forbids it.
  bool set_value(Node& node, std::string_view resource, std::string_view bytes,
                 std::optional<std::uint16_t> content_format, const Now& now);
  /// Tells the broker of the node, with the values that it does not have when it had refused the node.
  void announce(Node& node, bool with_values, const Now& now);
  /// Counts bytes kept that were `before` and are `after`; false, and nothing counted, beyond the bound.
  bool account(std::size_t before, std::size_t after);

  PolicyOptions options_;
  NodeTable table_;
  NodeCounters counters_;
  Core core_;
  Discovery discovery_;
  Requests requests_;
  Claims claims_;
  Directory directory_;
  NamedNodes named_;
  MessageNodes messages_;
  std::size_t kept_bytes_ = 0;
  log::Limiter moves_{5}, refusals_{5};
};

/// pyaiot's answer to what was taken.
[[nodiscard]] coap::ServerReply received(std::string_view payload);
/// 4.00 and its kin with a diagnostic for people.
[[nodiscard]] coap::ServerReply refuse(std::uint8_t code, std::string diagnostic);

}  // namespace aiot::gateway
