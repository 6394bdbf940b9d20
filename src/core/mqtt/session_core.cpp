#include "core/mqtt/session_core.h"

#include <fmt/core.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/mqtt/dial.h"

namespace aiot::mqtt {

namespace {

/// A wrong password does not become right by itself.
constexpr Duration kRefusedWait = std::chrono::seconds(60);
/// A connection that lasted so long makes the waits short again.
constexpr Duration kSteady = std::chrono::seconds(10);
constexpr Duration kTick = std::chrono::seconds(1);
/// Received messages that wait to be stored stop what is written; longer than this, and the connection is
/// given up, or, where the server keeps no session and nothing would come again, goes on.
constexpr Duration kHold = std::chrono::seconds(5);
/// Handed out and unanswered: nothing more is read.
constexpr std::size_t kMaxUnanswered = 1024;

/// In closed_, beside libmosquitto's codes.
constexpr int kStoreFailed = -1000;

/// Unsupported protocol version, in MQTT 5 and in 3.1.1.
bool refuses_version(const Connack& connack) { return connack.code == 0x84 || connack.code == 1; }

}  // namespace

void SessionCore::attempt() {
  state_ = State::dialing;
  attempt_timer_->start(options_.timeout);
  dialing_ = dial(loop_, options_.host, options_.port, options_.timeout, [this](Result<int> fd) {
    auto opened = fd ? open(*fd) : Result<void>(fd.error());
    if (opened) {
      work();
    } else {
      ended(opened.error());
    }
  });
}

Result<void> SessionCore::open(int fd) {
  closed_.reset();
  connack_.reset();
  refusal_.reset();
  if (!handle_) {
    auto made = Handle::make(options_, client_id_, version_, tls_.get(), *this);
    if (!made) {
      ::close(fd);
      return made.error();
    }
    handle_ = std::move(*made);
  }
  state_ = State::connecting;
  ++connection_;
  if (auto attached = handle_->attach(fd); !attached) {
    // The handshake begins there.
    if (tls_ && !tls_->failure().empty()) return make_error(Errc::unauthorized, tls_->failure());
    return attached;
  }
  watch_ = loop_.watch(handle_->socket(), 0, [this](unsigned events) {
    if ((events & (FdWatch::kReadable | FdWatch::kHangup)) != 0) handle_->read();
    work();
  });
  return {};
}

void SessionCore::on_closed(int code) {
  watch_.reset();  // libmosquitto closes the socket in this turn
  if (!dropping_) closed_ = code;
}

void SessionCore::on_message(Message message) {
  if (!dropping_) arrived_.push_back(std::move(message));
}

void SessionCore::on_suback(int mid, const std::vector<int>& codes) {
  subscriptions_.acknowledged(mid, codes, answers_);
}

void SessionCore::work() {
  const std::weak_ptr<int> alive = alive_;
  do {
    if (!deliver()) return;
    if (closed_) {
      ended(closed_reason());
      return;
    }
    if (stopping_ && publisher_.empty() && !connected()) {
      finish(make_error(Errc::abandoned, "the session has ended"));
      return;
    }
    push();
  } while (!answers_.empty() || closed_);
  watch();
}

bool SessionCore::deliver() {
  const std::weak_ptr<int> alive = alive_;
  if (connack_) {
    const Connack connack = *std::exchange(connack_, std::nullopt);
    if (!accept(connack) || alive.expired()) return false;
  }
  while (!answers_.empty()) {
    auto [done, result] = std::move(answers_.front());
    answers_.pop_front();
    done(std::move(result));
    if (alive.expired()) return false;
  }
  while (!arrived_.empty()) {
    Message message = std::move(arrived_.front());
    arrived_.pop_front();
    if (!hand_out(std::move(message))) return false;
  }
  if (publisher_.take_writable() && callbacks_.writable) {
    callbacks_.writable();
    if (alive.expired()) return false;
  }
  return true;
}

bool SessionCore::accept(const Connack& connack) {
  if (connack.code != 0) {
    refusal_ = connack;
    return true;
  }
  agreed_ = true;
  attempt_timer_->stop();
  if (!connack.present && publisher_.has_half_done() && !options_.clean_start) {
    // The server has lost the session, and the Handle would only release what it has not: PUBREL for messages
    // that are published anew.
    drop_connection();
    handle_.reset();
    publisher_.lost(false);
    state_ = State::waiting;
    retry_timer_->start(Duration(0));
    return false;
  }
  state_ = State::connected;
  connected_at_ = loop_.now();
  ++connects_;
  publisher_.connected(connack.receive_maximum.value_or(0));
  subscriptions_.connected(connack.present);
  tick_timer_->start(kTick);
  if (callbacks_.connected) callbacks_.connected(connack.present);
  return true;
}

bool SessionCore::hand_out(Message message) {
  if (message.topic.size() + message.payload.size() > options_.max_packet) {
    ++dropped_;
    log::warn("{}: a message of {} bytes to {} was dropped, {} are allowed", where_, message.payload.size(),
              message.topic.substr(0, 200), options_.max_packet);
    return true;
  }
  if (message.retain && version_ == Version::v311 && !subscriptions_.wants_retained(message.topic))
    return true;
  ++received_;
  ++unanswered_;
  const int qos = message.qos;
  if (qos > 0 && unstored_++ == 0) hold_timer_->start(kHold);
  const std::weak_ptr<int> alive = alive_;
  auto answer = [this, alive, connection = connection_, qos](const Result<void>& result) {
    if (!alive.expired()) stored(connection, qos, result.has_value());
  };
  if (callbacks_.received) {
    callbacks_.received(std::move(message), std::move(answer));
  } else {
    answer({});
  }
  return !alive.expired();
}

void SessionCore::stored(std::uint64_t connection, int qos, bool good) {
  if (connection != connection_) return;
  --unanswered_;
  if (qos > 0) {
    if (!good && !options_.clean_start) refused_store_ = true;
    if (unstored_ > 0 && --unstored_ == 0) hold_timer_->stop();
  }
  soon();
}

void SessionCore::hold_expired() {
  if (options_.clean_start) {
    log::warn("{}: {} messages were not stored within {}", where_, unstored_, format_duration(kHold));
    ++connection_;
    unstored_ = unanswered_ = 0;
    work();
  } else {
    give_up(make_error(Errc::internal, fmt::format("{}: {} messages were not stored within {}", where_,
                                                   unstored_, format_duration(kHold))));
  }
}

void SessionCore::push() {
  if (!handle_ || handle_->socket() < 0 || holds()) return;
  if (std::exchange(refused_store_, false)) {
    drop_connection();
    closed_ = kStoreFailed;
    return;
  }
  if (connected()) {
    subscriptions_.feed(*handle_, loop_.now(), answers_);
    publisher_.feed(*handle_, answers_);
    if (stopping_ && publisher_.empty()) handle_->disconnect();
  }
  if (handle_->wants_write()) handle_->write();
}

void SessionCore::watch() {
  if (!watch_) return;
  unsigned events = FdWatch::kHangup;
  if (!holds() && unanswered_ < kMaxUnanswered) events = FdWatch::kReadable;
  if (!holds() && handle_->wants_write()) events |= FdWatch::kWritable;
  watch_->set(events);
}

void SessionCore::tick() {
  tick_timer_->start(kTick);
  handle_->keep_alive();
  if (subscriptions_.waits_since(loop_.now() - options_.timeout)) {
    give_up(make_error(Errc::timeout, where_ + ": no answer to SUBSCRIBE"));
  } else {
    work();
  }
}

void SessionCore::give_up(const Error& why) {
  drop_connection();
  ended(why);
}

void SessionCore::drop_connection() {
  dropping_ = true;
  if (handle_) handle_->drop();
  dropping_ = false;
}

Error SessionCore::closed_reason() const {
  if (*closed_ == kStoreFailed)
    return make_error(Errc::internal, where_ + ": a received message could not be stored");
  if (refusal_) return connack_error(*refusal_, version_ == Version::v5, where_);
  if (tls_ && !tls_->failure().empty()) return make_error(Errc::unauthorized, tls_->failure());
  const bool in_handshake = tls_ && state_ == State::connecting;
  Error out = closed_error(*closed_, where_);
  if (in_handshake && out.code == Errc::unreachable)
    out = make_error(Errc::unauthorized, where_ + ": the TLS handshake failed");
  return out;
}

bool SessionCore::falls_back(const Error& why) {
  if (options_.version != Version::automatic || state_ != State::connecting) return false;
  const bool before = version_ == Version::v5;
  if (!before) {
    if (!agreed_) version_ = Version::v5;
    return false;
  }
  // Old servers close without a word.
  const bool refused =
      refusal_ ? refuses_version(*refusal_) : !agreed_ && closed_ && why.code != Errc::unauthorized;
  if (refused) version_ = Version::v311;
  return refused;
}

void SessionCore::ended(const Error& why) {
  const bool was_connected = connected();
  const bool falls = falls_back(why);
  watch_.reset();
  dialing_.cancel();
  for (auto* timer : {attempt_timer_.get(), tick_timer_.get(), hold_timer_.get()}) timer->stop();
  ++connection_;
  unstored_ = unanswered_ = 0;
  refused_store_ = false;
  arrived_.clear();
  connack_.reset();
  closed_.reset();
  const bool kept = !options_.clean_start && !falls;
  if (!kept) handle_.reset();
  publisher_.lost(kept);
  subscriptions_.lost();
  state_ = State::waiting;
  if (stopping_ && publisher_.empty()) {
    finish(make_error(Errc::abandoned, "the session has ended"));
    return;
  }
  if (falls) {
    retry_timer_->start(Duration(0));
    return;
  }
  ++failures_;
  if (was_connected && loop_.now() - connected_at_ >= kSteady) backoff_.reset();
  if (options_.retry) {
    const Duration wait = backoff_.next();
    retry_timer_->start(why.code == Errc::unauthorized ? jittered(kRefusedWait) : wait);
  } else {
    state_ = State::ended;
    publisher_.fail(why, answers_);
    subscriptions_.fail(why, answers_);
  }
  const std::weak_ptr<int> alive = alive_;
  if (callbacks_.disconnected) callbacks_.disconnected(why);
  if (!alive.expired()) deliver();
}

void SessionCore::finish(const Error& why) {
  for (auto* timer :
       {attempt_timer_.get(), retry_timer_.get(), tick_timer_.get(), hold_timer_.get(), stop_timer_.get()})
    timer->stop();
  watch_.reset();
  dialing_.cancel();
  if (connected() && !(holds() && !options_.clean_start)) {
    handle_->disconnect();
    handle_->write();
  }
  dropping_ = true;
  handle_.reset();
  dropping_ = false;
  state_ = State::ended;
  publisher_.fail(why, answers_);
  subscriptions_.fail(why, answers_);
  const std::weak_ptr<int> alive = alive_;
  if (!deliver() || alive.expired()) return;
  stopped_(Result<>());
}

}  // namespace aiot::mqtt
