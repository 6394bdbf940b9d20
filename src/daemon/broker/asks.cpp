#include "daemon/broker/asks.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/base/random.h"

namespace aiot::broker {
namespace {

/// What a native gateway has beyond the deadline to say that it passed.
constexpr Duration kVerdictGrace = std::chrono::milliseconds(250);

Error failure(Errc code, Outcome outcome, std::string message) {
  return Error{code, std::move(message), 0, outcome};
}

}  // namespace

Asks::Asks(EventLoop& loop, NodeTable& table, Counters& counters, Histogram& durations)
    : loop_(loop),
      table_(table),
      counters_(counters),
      durations_(durations),
      source_(random_uuid()),
      timer_(loop.make_timer([this] { expire(); })) {}

Asks::~Asks() {
  for (auto& [id, waiting] : pending_) waiting.done.dismiss();
}

void Asks::refuse(Error error, Completion<wire::Answer> done) {
  loop_.post([done = std::move(done), error = std::move(error)]() mutable { done(std::move(error)); });
}

Result<GatewayLink*> Asks::route(const NodeRequest& request) const {
  const Node* node = table_.find(request.uid);
  if (node == nullptr || node->hidden) {
    return failure(Errc::rejected, Outcome::not_sent, fmt::format("no node is named {}", request.uid));
  }
  if (node->state != NodeState::live || node->owner->link == nullptr) {
    return failure(Errc::unreachable, Outcome::not_sent,
                   fmt::format("node {} is {}", request.uid,
                               node->state == NodeState::out ? "out" : "stale: its gateway is away"));
  }
  GatewayLink* link = node->owner->link;
  const bool only_coap = request.method != Method::put && request.method != Method::get;
  if (!link->answers() && request.method != Method::put) {
    return failure(
        Errc::usage, Outcome::not_sent,
        fmt::format("{} is not possible: the gateway of node {} speaks pyaiot's wire, which has only writes",
                    to_string(request.method), request.uid));
  }
  if (only_coap && node->protocol != "CoAP") {
    return failure(Errc::usage, Outcome::not_sent,
                   fmt::format("{} is not possible: node {} speaks {}, not CoAP", to_string(request.method),
                               request.uid, node->protocol.empty() ? "another protocol" : node->protocol));
  }
  return link;
}

void Asks::request(NodeRequest request, Completion<wire::Answer> done) {
  auto link = route(request);
  if (!link) return refuse(std::move(link).error(), std::move(done));
  if (pending_.size() >= kMaxPendingAsks) {
    counters_.drop(Drop::queue_full);
    return refuse(failure(Errc::internal, Outcome::not_sent, "too many requests to nodes are under way"),
                  std::move(done));
  }
  const std::uint64_t id = next_id_++;
  const bool by_echo = !(*link)->answers();
  const TimePoint started = loop_.now();
  Pending waiting{*link,
                  request.uid,
                  request.resource,
                  by_echo ? request.payload : std::string(),
                  by_echo,
                  started,
                  started + request.timeout + (by_echo ? Duration::zero() : kVerdictGrace),
                  std::move(done)};
  wire::Ask ask{id,
                request.method,
                std::move(request.uid),
                std::move(request.resource),
                std::move(request.payload),
                request.content_format,
                std::min(request.timeout, request.expires)};
  if (!(*link)->ask(ask, source_)) {
    counters_.drop(Drop::queue_full);
    return refuse(failure(Errc::unreachable, Outcome::not_sent, "the gateway's queue is full"),
                  std::move(waiting.done));
  }
  if (by_echo) ++echoes_;
  deadlines_.emplace(std::pair(waiting.deadline, id), true);
  pending_.emplace(id, std::move(waiting));
  arm();
}

void Asks::write(std::string_view uid, std::string_view resource, std::string_view payload,
                 std::string_view source) {
  static log::Limiter limiter;
  const auto refused = [&](Drop why, std::string_view reason) {
    counters_.drop(why);
    if (limiter.allow()) log::warn("a client's write to {}/{} was dropped: {}", uid, resource, reason);
  };
  const NodeRequest request{
      Method::put, std::string(uid), std::string(resource), std::string(payload), {}, {}, {}};
  const Node* node = table_.find(uid);
  if (node == nullptr || node->hidden) return refused(Drop::unknown_node, "no such node");
  auto link = route(request);
  if (!link) return refused(Drop::gateway_away, link.error().message);
  const wire::Ask ask{
      next_id_++, Method::put, request.uid, request.resource, request.payload, {}, std::chrono::seconds(10)};
  if (!(*link)->ask(ask, source)) refused(Drop::queue_full, "the gateway's queue is full");
}

void Asks::answered(const GatewayLink& link, wire::Answer answer) {
  const auto entry = pending_.find(answer.id);
  if (entry == pending_.end() || entry->second.link != &link) {
    if (answer.error) log::debug("a write failed: {}", answer.error->message);
    return;
  }
  if (answer.error) return settle(entry, *std::move(answer.error));
  settle(entry, std::move(answer));
}

void Asks::heard(const Node& node, const Resource& resource) {
  if (echoes_ == 0) return;
  for (auto entry = pending_.begin(); entry != pending_.end();) {
    const auto here = entry++;
    const Pending& waiting = here->second;
    if (!waiting.by_echo || waiting.link != node.owner->link || waiting.uid != node.uid ||
        waiting.resource != resource.name || waiting.payload != resource.bytes) {
      continue;
    }
    wire::Answer answer;
    answer.id = here->first;
    answer.confirmed = "echo";
    answer.payload = resource.bytes;
    answer.content_format = resource.content_format;
    settle(here, std::move(answer));
  }
}

void Asks::gateway_gone(const GatewayLink& link) {
  for (auto entry = pending_.begin(); entry != pending_.end();) {
    const auto here = entry++;
    if (here->second.link != &link) continue;
    settle(here,
           failure(Errc::timeout, Outcome::unknown,
                   fmt::format("the gateway of node {} disconnected before it answered", here->second.uid)));
  }
}

void Asks::settle(PendingMap::iterator entry, Result<wire::Answer> result) {
  Pending waiting = std::move(entry->second);
  deadlines_.erase({waiting.deadline, entry->first});
  pending_.erase(entry);
  if (waiting.by_echo) --echoes_;
  durations_.observe(std::chrono::duration<double>(loop_.now() - waiting.started).count());
  loop_.post(
      [done = std::move(waiting.done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void Asks::expire() {
  while (!deadlines_.empty() && deadlines_.begin()->first.first <= loop_.now()) {
    const auto entry = pending_.find(deadlines_.begin()->first.second);
    settle(entry, failure(Errc::timeout, Outcome::unknown,
                          fmt::format("node {} did not confirm in time", entry->second.uid)));
  }
  arm();
}

void Asks::arm() {
  if (deadlines_.empty()) return timer_->stop();
  timer_->start(std::max(deadlines_.begin()->first.first - loop_.now(), Duration::zero()));
}

}  // namespace aiot::broker
