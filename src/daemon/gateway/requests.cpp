#include "daemon/gateway/requests.h"

#include <fmt/core.h>

#include "daemon/gateway/identity.h"
#include "daemon/gateway/policy.h"

namespace aiot::gateway {

namespace {

constexpr Duration kLeast = std::chrono::milliseconds(50);  ///< a further attempt needs at least so long

Error not_sent(Errc code, std::string message) {
  Error error = make_error(code, std::move(message));
  error.outcome = Outcome::not_sent;
  return error;
}

bool is_idempotent(Method method) { return method == Method::get || method == Method::put; }

}  // namespace

void Requests::fail(const wire::Ask& ask, Error error) {
  if (ask.method == Method::get || ask.method == Method::fetch) {
    error.outcome = Outcome::none;
  } else {
    ++core_.counters.writes_failed;
  }
  wire::Answer answer;
  answer.id = ask.id;
  if (error.native >= 400 && error.native < 600)
    answer.code = fmt::format("{}.{:02}", error.native / 100, error.native % 100);
  answer.error = std::move(error);
  core_.effects.answer(std::move(answer));
}

void Requests::ask(const wire::Ask& ask, const Now& now) {
  if (ask.method != Method::get && ask.method != Method::fetch) ++core_.counters.writes;
  Node* node = core_.table.find(ask.uid);
  if (node == nullptr || !node->live) {
    fail(ask, not_sent(Errc::unreachable,
                       fmt::format("node '{}' is {}", ask.uid, node == nullptr ? "not known here" : "out")));
    return;
  }
  if (!is_resource_name(ask.resource)) {
    fail(ask, not_sent(Errc::usage, "the resource must be 1 to 256 bytes of printable text"));
    return;
  }
  if (ask.deadline <= Duration(0)) {
    fail(ask, not_sent(Errc::timeout, "the deadline had passed when the request came"));
    return;
  }
  if (node->protocol != Protocol::coap) {
    policy_.messages_.ask(*node, ask, now);
    return;
  }
  if (pending_.size() >= kMaxRequests) {
    fail(ask,
         not_sent(Errc::unreachable, fmt::format("the gateway has {} requests under way", kMaxRequests)));
    return;
  }
  const Ticket ticket = core_.next_ticket();
  auto& pending = pending_[ticket];
  pending.ask = ask;
  pending.asked = now.mono;
  const bool only_at_source = core_.only_at_source(*node);
  pending.at_source = node->answers_at_source || only_at_source;
  pending.may_try_other =
      !only_at_source && node->address.port() != node->server_port && !node->local.empty();
  ++node->pending_writes;
  // A request that is not idempotent gets one attempt that may arrive; see try_other.
  const bool leave_time = pending.may_try_other && is_idempotent(ask.method);
  attempt(ticket, pending, *node, leave_time ? ask.deadline / 2 : ask.deadline);
}

void Requests::attempt(Ticket ticket, Pending& pending, Node& node, Duration timeout) {
  NodeRequest request;
  request.ticket = ticket;
  request.to = pending.at_source ? node.address : node.server();
  if (pending.at_source) request.from = node.local;
  request.secure = !node.credential.empty();
  request.method = pending.ask.method;
  request.resource = pending.ask.resource;
  request.payload = pending.ask.payload;
  request.content_format = pending.ask.content_format;
  request.timeout = timeout;
  core_.effects.request(std::move(request));
}

void Requests::posted(const Node& node, std::string_view resource, std::string_view value) {
  for (auto& [ticket, pending] : pending_)
    if (pending.ask.uid == node.uid && pending.ask.resource == resource && pending.ask.payload == value)
      pending.echoed = true;
}

bool Requests::responded(Ticket ticket, Result<Response>& result, const Now& now) {
  const auto at = pending_.find(ticket);
  if (at == pending_.end()) return false;
  Pending& pending = at->second;
  Node* node = core_.table.find(pending.ask.uid);
  if (node != nullptr && (result || is_answer(result.error()))) policy_.seen(*node, now);
  if (!result && node != nullptr && try_other(ticket, pending, *node, result.error(), now)) return true;
  auto done = std::move(pending_.extract(at).mapped());
  if (node != nullptr && node->pending_writes > 0) --node->pending_writes;
  if (result) {
    succeed(done, node, *result, now);
    return true;
  }
  Error error = std::move(result).error();
  if (is_answer(error)) {
    // What could not be read may be the news that it was done.
    error.outcome = error.native != 0 ? Outcome::rejected : Outcome::unknown;
  } else if (done.maybe_delivered || error.outcome == Outcome::none) {
    const bool never = error.code == Errc::unreachable && !done.maybe_delivered;
    error.outcome = never ? Outcome::not_sent : Outcome::unknown;
  }
  fail(done.ask, std::move(error));
  return true;
}

bool Requests::try_other(Ticket ticket, Pending& pending, Node& node, const Error& error, const Now& now) {
  if (is_answer(error)) return false;
  const bool never_left = error.outcome == Outcome::not_sent || error.code == Errc::unreachable;
  if (!never_left) pending.maybe_delivered = true;
  if (!pending.may_try_other || !node.live) return false;
  if (!never_left && !is_idempotent(pending.ask.method)) return false;
  const Duration left = pending.ask.deadline - Duration(now.mono - pending.asked);
  if (left < kLeast) return false;
  pending.may_try_other = false;
  pending.at_source = !pending.at_source;
  attempt(ticket, pending, node, left);
  return true;
}

void Requests::succeed(Pending& pending, Node* node, Response& response, const Now& now) {
  const auto& ask = pending.ask;
  if (node != nullptr && node->live) {
    node->answers_at_source = pending.at_source;
    const bool wrote = ask.method == Method::put && !pending.echoed;
    bool kept = true;
    if (wrote && ask.payload.size() <= kMaxValue) {
      kept = policy_.set_value(*node, ask.resource, ask.payload, ask.content_format, now);
    } else if (ask.method == Method::get && response.payload.size() <= kMaxValue) {
      kept = policy_.set_value(*node, ask.resource, response.payload, response.content_format, now);
    }
    if (!kept) core_.counters.drop(Drop::too_many_resources);
  }
  wire::Answer answer;
  answer.id = ask.id;
  answer.code = std::move(response.code);
  answer.payload = std::move(response.payload);
  answer.content_format = response.content_format;
  if (ask.method != Method::get && ask.method != Method::fetch) answer.confirmed = "device";
  answer.rtt = response.rtt ? response.rtt : Duration(now.mono - pending.asked);
  core_.effects.answer(std::move(answer));
}

}  // namespace aiot::gateway
