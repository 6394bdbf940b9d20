#include "daemon/broker/clients.h"

#include <algorithm>
#include <utility>

#include "core/base/log.h"
#include "core/model/identity.h"
#include "daemon/broker/client_session.h"
#include "daemon/broker/pyaiot.h"

namespace aiot::broker {
namespace {

constexpr std::string_view kEveryone = "all";
constexpr Duration kLookAfterEvery = std::chrono::seconds(5);
/// Encoded blocks are kept so long after the last client joined.
constexpr Duration kKeepSnapshot = std::chrono::seconds(10);

}  // namespace

Clients::Clients(EventLoop& loop, NodeTable& table, Counters& counters, Bounds bounds)
    : loop_(loop),
      counters_(counters),
      bounds_(bounds),
      snapshots_(table),
      timer_(loop.make_timer([this] { look_after(); })) {}

void Clients::append(bool is_update) {
  log_.append(payload_, {is_update ? 1U : 0U, 0});
  payload_.clear();
  // Everything of this turn leaves together at the start of the next.
  if (std::exchange(flush_posted_, true)) return;
  loop_.post([this, alive = std::weak_ptr<char>(alive_)] {
    if (!alive.expired()) flush();
  });
}

void Clients::joined(const Node& node) {
  if (readers_ == 0) return;
  pyaiot::append_new(payload_, node.uid, kEveryone);
  append(false);
}

void Clients::updated(const Node& node, const Resource& resource) {
  if (readers_ == 0 || is_identity(resource.name)) return;
  pyaiot::append_update(payload_, node.uid, resource, kEveryone);
  append(true);
}

void Clients::addressed(const Node& node) {
  if (readers_ == 0) return;
  pyaiot::append_text_update(payload_, node.uid, pyaiot::address_endpoint(node), node.address, kEveryone);
  append(false);
}

void Clients::protocol_told(const Node& node) {
  if (readers_ == 0) return;
  pyaiot::append_text_update(payload_, node.uid, "protocol", node.protocol, kEveryone);
  append(false);
}

void Clients::restarted(const Node& node) {
  if (readers_ == 0) return;
  pyaiot::append_reset(payload_, node.uid);
  append(false);
}

void Clients::gone(const Node& node) {
  if (readers_ == 0) return;
  pyaiot::append_out(payload_, node.uid);
  append(false);
}

void Clients::add(ClientSession& client) {
  clients_.push_back(&client);
  if (!timer_->armed()) timer_->start(kLookAfterEvery);
}

void Clients::remove(ClientSession& client) {
  counters_.delivered += client.outbox().take_delivered();
  if (client.outbox().started()) --readers_;
  const auto found = std::find(clients_.begin(), clients_.end(), &client);
  if (found == clients_.end()) return;
  *found = nullptr;
  if (!walking_) std::erase(clients_, nullptr);
}

void Clients::join(ClientSession& client) {
  Outbox& outbox = client.outbox();
  // A second `new` is served when the first is: what is under way may hold an `out` that a new snapshot would
  // hide.
  client.rejoin = outbox.started() && (outbox.in_snapshot() || outbox.behind(log_.position()) > 0);
  if (client.rejoin) return;
  if (!outbox.started()) ++readers_;
  counters_.delivered += outbox.take_delivered();
  outbox.start(snapshots_.take(), log_.end());
  client.moved_at = last_join_ = loop_.now();
  client.connection()->wake();
}

bool Clients::over_bound(const ClientSession& client) const {
  const std::size_t bound =
      client.outbox().in_snapshot() ? bounds_.outbox_bytes * bounds_.snapshot_factor : bounds_.outbox_bytes;
  return client.outbox().behind(log_.position()) > bound;
}

void Clients::drop(ClientSession& client, std::string_view why) {
  client.dropped = true;
  ++counters_.slow_clients;
  counters_.drop(Drop::slow_client, client.outbox().undelivered(log_.tally().updates));
  log::warn("client {} {}; dropped", client.connection()->peer().text(), why);
  client.connection()->abort();
}

void Clients::flush() {
  flush_posted_ = false;
  walking_ = true;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    ClientSession* client = clients_[i];
    if (client == nullptr || client->dropped || !client->outbox().started()) continue;
    if (over_bound(*client)) {
      drop(*client, "does not read as fast as updates come");
      continue;
    }
    client->connection()->wake();
  }
  walking_ = false;
  std::erase(clients_, nullptr);
}

void Clients::look_after() {
  const TimePoint now = loop_.now();
  walking_ = true;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    ClientSession* client = clients_[i];
    if (client == nullptr || client->dropped) continue;
    if (client->rejoin) join(*client);
    const std::uint64_t taken = client->outbox().taken();
    if (taken != std::exchange(client->taken_before, taken)) client->moved_at = now;
    if (client->outbox().in_snapshot() && now - client->moved_at > bounds_.snapshot_patience) {
      drop(*client, "does not read its snapshot");
    }
  }
  walking_ = false;
  std::erase(clients_, nullptr);
  if (now - last_join_ > kKeepSnapshot) snapshots_.drop();
  if (!clients_.empty() || snapshots_.bytes() > 0) timer_->start(kLookAfterEvery);
}

std::size_t Clients::queued_bytes() const {
  std::uint64_t most = 0;
  for (const ClientSession* client : clients_) {
    if (client != nullptr) most = std::max(most, client->outbox().behind(log_.position()));
  }
  return most + snapshots_.bytes();
}

void Clients::count_delivered() {
  for (ClientSession* client : clients_) {
    if (client != nullptr) counters_.delivered += client->outbox().take_delivered();
  }
}

}  // namespace aiot::broker
