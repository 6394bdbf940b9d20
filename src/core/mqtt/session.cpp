#include "core/mqtt/session.h"

#include <fmt/core.h>

#include "core/base/random.h"
#include "core/base/text.h"
#include "core/codec/topic.h"
#include "core/mqtt/session_core.h"

namespace aiot::mqtt {

namespace {

constexpr Duration kFirstWait = std::chrono::milliseconds(250), kLastWait = std::chrono::seconds(30);
constexpr std::size_t kMaxClientId = 65'535;

std::string new_client_id() { return fmt::format("aiot{:016x}", random_u64()); }

}  // namespace

std::unique_ptr<Session> Session::make(EventLoop& loop, SessionOptions options, Callbacks callbacks) {
  return std::make_unique<SessionCore>(loop, std::move(options), std::move(callbacks));
}

SessionCore::SessionCore(EventLoop& loop, SessionOptions options, Callbacks callbacks)
    : loop_(loop),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      where_(options_.host.find(':') == std::string::npos
                 ? fmt::format("{}:{}", options_.host, options_.port)
                 : fmt::format("[{}]:{}", options_.host, options_.port)),
      client_id_(options_.client_id.empty() ? new_client_id() : options_.client_id),
      attempt_timer_(loop.make_timer([this] {
        give_up(make_error(Errc::timeout, fmt::format("{}: no answer to CONNECT within {}", where_,
                                                      format_duration(options_.timeout))));
      })),
      retry_timer_(loop.make_timer([this] { attempt(); })),
      tick_timer_(loop.make_timer([this] { tick(); })),
      hold_timer_(loop.make_timer([this] { hold_expired(); })),
      soon_timer_(loop.make_timer([this] { work(); })),
      stop_timer_(loop.make_timer([this] {
        finish(make_error(Errc::unreachable, where_ + ": the session ended before it was acknowledged"));
      })),
      publisher_(options_),
      backoff_(kFirstWait, kLastWait),
      version_(options_.version == Version::automatic ? Version::v5 : options_.version) {}

SessionCore::~SessionCore() {
  stopped_.dismiss();
  alive_.reset();
  if (handle_ && state_ == State::connected && !(holds() && !options_.clean_start)) {
    handle_->disconnect();
    handle_->write();
  }
  const auto why = make_error(Errc::abandoned, {});
  publisher_.fail(why, answers_);
  subscriptions_.fail(why, answers_);
  for (auto& [done, result] : answers_) done.dismiss();
}

Result<void> SessionCore::start() {
  if (state_ != State::idle) return {};
  const auto usage = [](std::string why) { return make_error(Errc::usage, std::move(why)); };
  if (options_.host.empty() || options_.port == 0) return usage("the MQTT broker's host or port is missing");
  if (client_id_.size() > kMaxClientId || !text::is_utf8(client_id_) ||
      client_id_.find('\0') != std::string::npos)
    return usage("the MQTT client id must be UTF-8 of at most 65,535 bytes");
  if (!options_.clean_start && options_.client_id.empty())
    return usage("a session that the MQTT broker is to keep needs a client id");
  if (options_.keep_alive < std::chrono::seconds(5) || options_.keep_alive > std::chrono::seconds(65'535))
    return usage("the keep alive time must be 5 to 65,535 seconds");
  if (options_.user.empty() && !options_.password.empty()) return usage("a password needs a user");
  if (options_.max_packet == 0 || options_.max_packet > 256UL * 1024 * 1024)
    return usage("an MQTT packet has at most 256 MB");
  if (options_.will && !is_topic_name(options_.will->topic))
    return usage(fmt::format("will: '{}' is not a topic", text::escape_controls(options_.will->topic)));
  if (options_.tls) {
    auto tls = TlsContext::make(*options_.tls, options_.host);
    if (!tls) return tls.error();
    tls_ = std::move(*tls);
  }
  // What libmosquitto itself refuses is found now, too.
  auto handle = Handle::make(options_, client_id_, version_, tls_.get(), *this);
  if (!handle) return handle.error();
  state_ = State::waiting;
  retry_timer_->start(Duration(0));
  return {};
}

void SessionCore::subscribe(const std::string& filter, SubscribeOptions options, Completion<> done) {
  if (!is_topic_filter(filter)) {
    answers_.emplace_back(
        std::move(done),
        make_error(Errc::usage, fmt::format("'{}' is not a topic filter", text::escape_controls(filter))));
  } else if (state_ == State::ended) {
    answers_.emplace_back(std::move(done), make_error(Errc::unreachable, where_ + ": the session has ended"));
  } else {
    subscriptions_.add(filter, options, std::move(done));
  }
  soon();
}

void SessionCore::unsubscribe(const std::string& filter) {
  if (!subscriptions_.remove(filter) || !connected()) return;
  handle_->unsubscribe(filter);
  soon();
}

void SessionCore::publish(Message message, Completion<> done) {
  soon();
  Error why;
  if (!is_topic_name(message.topic)) {
    why = make_error(Errc::usage, fmt::format("'{}' is not a topic", text::escape_controls(message.topic)));
  } else if (message.qos < 0 || message.qos > 2) {
    why = make_error(Errc::usage, fmt::format("QoS {} is none of 0, 1 and 2", message.qos));
  } else if (state_ == State::ended) {
    why = make_error(Errc::unreachable, where_ + ": the session has ended");
  } else if (!publisher_.accepts(message)) {
    why = make_error(Errc::unreachable, where_ + ": too many messages wait to be sent");
  } else {
    publisher_.add(std::move(message), std::move(done));
    return;
  }
  ++not_taken_;
  answers_.emplace_back(std::move(done), std::move(why));
}

SessionCounters SessionCore::counters() const {
  SessionCounters out;
  publisher_.count(out);
  out.published += not_taken_;
  out.failed += not_taken_;
  out.received = received_;
  out.dropped = dropped_;
  out.connects = connects_;
  out.failures = failures_;
  return out;
}

void SessionCore::stop(Duration deadline, Completion<> done) {
  stopping_ = true;
  stopped_ = std::move(done);
  stop_timer_->start(deadline);
  soon();
}

}  // namespace aiot::mqtt
