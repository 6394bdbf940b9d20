#include "daemon/broker/asks.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/random.h"

namespace aiot::broker {
namespace {

/// What a native gateway has beyond the deadline to say that it passed.
constexpr Duration kVerdictGrace = std::chrono::milliseconds(250);

Error failure(Errc code, Outcome outcome, std::string message) {
  return Error{code, std::move(message), 0, outcome};
}

/// Why an answer without an error is none: success is 2.xx, and a write's names who confirmed it.
std::string_view flaw_of(const wire::Answer& answer, Method method) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::string& code = answer.code;
  if (!code.empty() &&
      (code.size() != 4 || code.compare(0, 2, "2.") != 0 || !is_digit(code[2]) || !is_digit(code[3]))) {
    return "a success with a code that is not 2.xx";
  }
  if (is_write(method) && answer.confirmed != "device" && answer.confirmed != "echo")
    return "a success that nobody confirmed";
  return {};
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

void Asks::request(const NodeRequest& request, Completion<wire::Answer> done) {
  auto link = route(request);
  if (!link) return refuse(std::move(link).error(), std::move(done));
  if (pending_.size() >= kMaxPendingAsks) {
    counters_.drop(Drop::queue_full);
    return refuse(failure(Errc::internal, Outcome::not_sent, "too many requests to nodes are under way"),
                  std::move(done));
  }
  const wire::Ask ask{next_id_++,
                      request.method,
                      request.uid,
                      request.resource,
                      request.payload,
                      request.content_format,
                      std::min(request.timeout, request.expires)};
  if (!(*link)->ask(ask, source_)) {
    counters_.drop(Drop::queue_full);
    return refuse(failure(Errc::unreachable, Outcome::not_sent, "the gateway's queue is full"),
                  std::move(done));
  }
  await(ask.id, **link, request, std::move(done));
}

void Asks::await(std::uint64_t id, const GatewayLink& link, const NodeRequest& request,
                 Completion<wire::Answer> done) {
  const bool by_echo = !link.answers();
  const TimePoint started = loop_.now();
  Pending waiting{&link,
                  request.method,
                  request.uid,
                  request.resource,
                  request.payload,
                  request.by,
                  by_echo,
                  started,
                  started + request.timeout + (by_echo ? Duration::zero() : kVerdictGrace),
                  std::move(done)};
  if (by_echo) ++echoes_;
  deadlines_.emplace(std::pair(waiting.deadline, id), true);
  pending_.emplace(id, std::move(waiting));
  arm();
}

void Asks::drop_write(Drop why, std::string_view what, std::string_view reason) {
  counters_.drop(why);
  if (limiter_.allow()) log::warn("a client's write was dropped ({}): {}", what, reason);
}

void Asks::write(std::string_view uid, std::string_view resource, std::string_view payload,
                 std::string_view source, std::string by) {
  const auto refused = [&](Drop why, std::string_view reason) {
    drop_write(why, fmt::format("{}/{}", uid, resource), reason);
  };
  NodeRequest request;
  request.uid = uid;
  request.resource = resource;
  request.payload = payload;
  request.by = std::move(by);
  const Node* node = table_.find(uid);
  if (node == nullptr || node->hidden) return refused(Drop::unknown_node, "no such node");
  auto link = route(request);
  if (!link) return refused(Drop::gateway_away, link.error().message);
  const wire::Ask ask{next_id_++, request.method, request.uid, request.resource, request.payload,
                      {},         request.timeout};
  if (!(*link)->ask(ask, source)) return refused(Drop::queue_full, "the gateway's queue is full");
  // Nobody waits for its outcome: beyond the bound it is only not timed.
  if (pending_.size() < kMaxPendingAsks) await(ask.id, **link, request, {});
}

void Asks::answered(const GatewayLink& link, wire::Answer answer) {
  const auto entry = pending_.find(answer.id);
  if (entry == pending_.end() || entry->second.link != &link) return;
  if (answer.error) return settle(entry, *std::move(answer.error));
  const Pending& waiting = entry->second;
  if (const auto flaw = flaw_of(answer, waiting.method); !flaw.empty()) {
    if (limiter_.allow()) {
      log::warn("a gateway's answer to {} {}/{} is malformed: {}", to_string(waiting.method), waiting.uid,
                waiting.resource, flaw);
    }
    return settle(entry,
                  failure(Errc::peer_failed, is_write(waiting.method) ? Outcome::unknown : Outcome::none,
                          fmt::format("the gateway of node {} answered {}", waiting.uid, flaw)));
  }
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
  if (settled_) {
    NodeRequest request;
    request.method = waiting.method;
    request.uid = waiting.uid;
    request.resource = waiting.resource;
    request.payload = waiting.payload;
    request.by = waiting.by;
    settled_(request, result);
  }
  if (!waiting.done) {
    if (!result && limiter_.allow()) {
      log::warn("a client's write to {}/{} failed: {}", waiting.uid, waiting.resource,
                result.error().message);
    }
    return;
  }
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
