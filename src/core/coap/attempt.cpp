#include "core/coap/attempt.h"

#include <fmt/core.h>
#include <net/if.h>

#include <algorithm>

namespace aiot::coap {
namespace {

/// `host` when it is an address; the zone (or, without one, the interface asked for) gives a link-local one
/// its link.
Result<SocketAddress> numeric_address(const Request& request) {
  const auto& uri = request.uri;
  const bool six = uri.host.find(':') != std::string::npos;
  std::string text = uri.host;
  if (six) {
    const auto& zone = uri.zone.empty() ? request.interface : uri.zone;
    if (!zone.empty()) {
      if (if_nametoindex(zone.c_str()) == 0 && zone.find_first_not_of("0123456789") != std::string::npos)
        return make_error(Errc::unreachable, fmt::format("{}: no such interface", zone));
      text += '%' + zone;
    }
    text = fmt::format("[{}]:{}", text, uri.port);
  } else {
    text = fmt::format("{}:{}", text, uri.port);
  }
  return SocketAddress::parse(text);
}

bool looks_numeric(const Uri& uri) {
  return uri.host.find(':') != std::string::npos ||
         uri.host.find_first_not_of("0123456789.") == std::string::npos;
}

/// A write that failed before anything was sent did not happen.
Failure unsent(Error error) {
  error.outcome = Outcome::not_sent;
  return Failure{std::move(error), false};
}

}  // namespace

Attempt::Attempt(ClientCore& core, const Request& request, Spec spec, Done done)
    : core_(core), request_(request), spec_(std::move(spec)), done_(std::move(done)) {}

Attempt::~Attempt() { cancel(); }

void Attempt::cancel() {
  done_ = nullptr;
  resolving_.cancel();
  core_.deadlines().cancel(resolve_deadline_);
  if (const auto exchange = std::exchange(exchange_, nullptr)) {
    auto& destination = core_.destination(endpoint_);
    if (spec_.observer != nullptr) destination.remove_observer(spec_.token);
    destination.cancel(*exchange);
  }
}

void Attempt::start() {
  if (looks_numeric(request_.uri)) {
    auto address = numeric_address(request_);
    if (!address) return finish(unsent(std::move(address).error()));
    addresses_.push_back(*address);
    return try_next();
  }
  resolve_deadline_ = core_.deadlines().at(spec_.deadline, [this] {
    resolving_.cancel();
    finish(unsent(
        make_error(Errc::timeout, fmt::format("{}: the name was not resolved in time", request_.uri.host))));
  });
  resolving_ = core_.loop().resolve(request_.uri.host, request_.uri.port,
                                    [weak = weak_from_this()](Result<std::vector<SocketAddress>> found) {
                                      if (const auto self = weak.lock()) self->on_addresses(std::move(found));
                                    });
}

void Attempt::on_addresses(Result<std::vector<SocketAddress>> found) {
  core_.deadlines().cancel(resolve_deadline_);
  if (!done_) return;
  if (!found) return finish(unsent(std::move(found).error()));
  addresses_ = std::move(*found);
  try_next();
}

void Attempt::try_next() {
  const auto keep = shared_from_this();
  const auto now = core_.loop().now();
  auto deadline = spec_.deadline;
  // A silent address takes its share of the time only, where asking a second one does no harm.
  const auto left = static_cast<Duration::rep>(addresses_.size() - next_address_);
  if (left > 1 && !is_write(request_.method)) deadline = now + (spec_.deadline - now) / left;

  const auto& uri = request_.uri;
  const bool secure = uri.scheme.rfind("coaps", 0) == 0;
  endpoint_ = Endpoint{addresses_[next_address_++], spec_.local, uri.scheme.find("+tcp") != std::string::npos,
                       secure ? uri.host : std::string()};
  Transfer::Limits limits;
  limits.max_payload = core_.limits().max_payload;
  Transfer transfer(code(0, static_cast<int>(request_code(request_.method))), spec_.options, request_.payload,
                    limits);
  if (spec_.observer != nullptr) transfer.set_observe();
  exchange_ = std::make_shared<Exchange>(
      std::move(transfer), request_.confirmable, deadline,
      [this](std::variant<Answer, Failure> result) { on_exchange(std::move(result)); });
  exchange_->first_token = spec_.token;
  auto& destination = core_.destination(endpoint_);
  if (spec_.observer != nullptr) destination.add_observer(spec_.token, *spec_.observer);
  destination.submit(exchange_);
}

void Attempt::on_exchange(std::variant<Answer, Failure> result) {
  const auto keep = shared_from_this();
  exchange_.reset();
  if (const auto* failure = std::get_if<Failure>(&result)) {
    if (spec_.observer != nullptr) core_.destination(endpoint_).remove_observer(spec_.token);
    const bool more = next_address_ < addresses_.size();
    const bool silent = failure->error.code == Errc::timeout && !is_write(request_.method) &&
                        core_.loop().now() < spec_.deadline;
    if (more && (failure->elsewhere || silent)) return try_next();
  }
  finish(std::move(result));
}

void Attempt::finish(std::variant<Answer, Failure> result) {
  if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
}

}  // namespace aiot::coap
