#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/text.h"
#include "daemon/broker/gateway_session.h"

namespace aiot::broker {
namespace {

constexpr Duration kHelloDeadline = std::chrono::seconds(10);
/// A refusal is repeated to a gateway that goes on no more often than this.
constexpr Duration kRefusalEvery = std::chrono::seconds(10);
constexpr std::size_t kMaxRefusals = 65'536;

}  // namespace

NativeGatewaySession::NativeGatewaySession(GatewayServices services, Principal principal)
    : services_(services), principal_(std::move(principal)) {}

void NativeGatewaySession::opened(ws::WsConnection& connection) {
  connection_ = &connection;
  hello_deadline_ = services_.loop.make_timer([this] { fail("timeout", "no hello within 10 s"); });
  hello_deadline_->start(kHelloDeadline);
}

void NativeGatewaySession::closed() {
  connection_ = nullptr;
  hello_deadline_.reset();
  if (gateway_ == nullptr) return;
  services_.asks.gateway_gone(*this);
  services_.routing.disconnected(*std::exchange(gateway_, nullptr), *this);
}

void NativeGatewaySession::fail(std::string_view code, std::string_view message) {
  if (connection_ == nullptr || std::exchange(failed_, true)) return;
  log::warn("gateway {} at {}: {}", principal_.name, connection_->peer().text(), message);
  connection_->send_text(wire::format_message(wire::Failure{std::string(code), std::string(message)}));
  connection_->close(1008, code);
}

void NativeGatewaySession::received(std::string_view text, bool binary) {
  if (failed_) return;
  if (binary) return fail("rejected", "messages are JSON in text frames");
  auto message = wire::parse_message(text);
  if (!message) {
    if (message.error().code == Errc::usage) return;  // a type of a newer version
    services_.counters.drop(Drop::invalid);
    return fail("rejected", message.error().message);
  }
  if (const auto* first = std::get_if<wire::Hello>(&*message)) {
    if (gateway_ != nullptr) return fail("usage", "a second hello");
    return hello(*first);
  }
  if (gateway_ == nullptr) return fail("usage", "the first message must be hello");
  if (const auto* items = std::get_if<wire::Batch>(&*message)) return batch(*items);
  if (const auto* live = std::get_if<wire::Live>(&*message)) {
    return services_.routing.show(*gateway_, live->items, services_.now());
  }
  if (auto* report = std::get_if<wire::Report>(&*message)) {
    gateway_->reported = std::move(report->counters);
    gateway_->reported_at = services_.loop.wall_now();
    return;
  }
  if (const auto* next = std::get_if<wire::NextStream>(&*message)) {
    take_up(next->stream, next->earlier);
    return connection_->send_text(wire::format_message(wire::Resume{stream_, acknowledged_}));
  }
  if (auto* answer = std::get_if<wire::Answer>(&*message))
    return services_.asks.answered(*this, std::move(*answer));
  if (const auto* nodes = std::get_if<wire::Sync>(&*message)) {
    services_.routing.sync(*gateway_, *nodes, !in_sync_, services_.now());
    in_sync_ = !nodes->last;
    return;
  }
  if (const auto* failure = std::get_if<wire::Failure>(&*message)) {
    log::warn("gateway {} gave up: {}", principal_.name, failure->message);
    return;
  }
  fail("usage", "a message that only brokers send");
}

void NativeGatewaySession::hello(const wire::Hello& hello) {
  if (hello.version != 1) return fail("usage", "this broker speaks version 1");
  if (hello.name != principal_.name) {
    return fail("unauthorized", fmt::format("the token is bound to another name than {}", hello.name));
  }
  hello_deadline_.reset();
  take_up(hello.stream, hello.earlier);
  gateway_ = &services_.routing.connected(
      {hello.name, hello.site, hello.stream, hello.software, connection_->peer().text(), true}, *this,
      services_.now());
  gateway_->credential = principal_.id;
  gateway_->proof = principal_.proof;
  log::info("gateway {} connected from {}", text::escape_controls(hello.name), connection_->peer().text());
  wire::Welcome welcome{"aiot " AIOT_VERSION, acknowledged_};
  welcome.journal = true;
  connection_->send_text(wire::format_message(welcome));
}

/// The batches that follow are of this stream.
void NativeGatewaySession::take_up(const std::string& stream, const std::vector<std::string>& earlier) {
  const std::string before = services_.store.stream_of(principal_.name);
  if (!before.empty() && before != stream &&
      std::find(earlier.begin(), earlier.end(), before) == earlier.end()) {
    services_.events.event({"stream_replaced",
                            principal_.name,
                            {},
                            fmt::format("gateway {} starts a new stream; what its old one still held is lost",
                                        principal_.name)});
  }
  stream_ = stream;
  const auto position = services_.store.position(principal_.name, stream);
  last_ = position.recorded;
  acknowledged_ = position.committed;
}

void NativeGatewaySession::batch(const wire::Batch& batch) {
  if (batch.items.empty()) return;
  const std::uint64_t end = batch.first + batch.items.size() - 1;
  std::size_t skip = 0;
  if (batch.first <= last_) {
    skip = static_cast<std::size_t>(std::min<std::uint64_t>(last_ - batch.first + 1, batch.items.size()));
    services_.counters.drop(Drop::duplicate, skip);
  } else if (batch.first > last_ + 1) {
    services_.events.event({"gap",
                            gateway_->name,
                            {},
                            fmt::format("{} items between {} and {} of gateway {} are missing",
                                        batch.first - last_ - 1, last_, batch.first, gateway_->name)});
  }
  const std::span<const wire::Item> fresh = std::span(batch.items).subspan(skip);
  if (fresh.empty()) {
    // What an earlier connection brought may still be on its way to the disk, and nobody else says when.
    if (acknowledged_ < last_) return commit(last_);
    return connection_->send_text(wire::format_message(wire::Ack{acknowledged_}));
  }
  last_ = end;
  if (batch.replay) {
    services_.routing.replay(*gateway_, fresh, services_.now());
  } else {
    services_.routing.apply(*gateway_, fresh, services_.now());
  }
  commit(end);
}

void NativeGatewaySession::commit(std::uint64_t last) {
  ++committing_;
  services_.store.commit(
      gateway_->name, stream_, last,
      [this, last, stream = stream_, alive = std::weak_ptr<char>(alive_)](const Result<void>& result) {
        if (!alive.expired()) committed(result, stream, last);
      });
}

void NativeGatewaySession::committed(const Result<void>& result, const std::string& stream,
                                     std::uint64_t last) {
  --committing_;
  if (!result) {
    // Not acknowledged, so the gateway keeps it and sends it again when it returns.
    return fail("internal", fmt::format("cannot store: {}", result.error().message));
  }
  if (stream == stream_) acknowledged_ = std::max(acknowledged_, last);
  // Batches that came in one turn are acknowledged together.
  if (committing_ == 0 && connection_ != nullptr && !failed_) {
    connection_->send_text(wire::format_message(wire::Ack{acknowledged_}));
  }
}

bool NativeGatewaySession::ask(const wire::Ask& ask, std::string_view) {
  if (connection_ == nullptr || failed_ || connection_->queued_bytes() > kMaxGatewayQueue) return false;
  connection_->send_text(wire::format_message(ask));
  return true;
}

void NativeGatewaySession::refuse(std::string_view uid, std::string_view reason) {
  if (connection_ == nullptr || failed_) return;
  const TimePoint now = services_.loop.now();
  if (refused_.size() >= kMaxRefusals) refused_.clear();
  const auto [entry, first] = refused_.try_emplace(std::string(uid), now);
  if (!first && now - entry->second < kRefusalEvery) return;
  entry->second = now;
  services_.events.event({"node_refused", principal_.name, uid,
                          fmt::format("node {} of gateway {} is refused: {}", uid, principal_.name, reason)});
  connection_->send_text(wire::format_message(wire::Refused{std::string(uid), std::string(reason)}));
}

void NativeGatewaySession::freed(std::string_view uid) {
  if (connection_ == nullptr || failed_ || refused_.erase(std::string(uid)) == 0) return;
  connection_->send_text(wire::format_message(wire::Freed{std::string(uid)}));
}

void NativeGatewaySession::replaced() {
  gateway_ = nullptr;
  services_.asks.gateway_gone(*this);
  fail("name_conflict", "another gateway connected with this name");
}

std::size_t NativeGatewaySession::queued_bytes() const {
  return connection_ == nullptr ? 0 : connection_->queued_bytes();
}

}  // namespace aiot::broker
