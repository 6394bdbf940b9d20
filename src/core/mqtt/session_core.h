#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "core/base/backoff.h"
#include "core/loop/event_loop.h"
#include "core/mqtt/handle.h"
#include "core/mqtt/publisher.h"
#include "core/mqtt/subscriptions.h"
#include "core/mqtt/tls.h"

namespace aiot::mqtt {

/// The session: attempts, connections and what flows over them. libmosquitto's callbacks only leave word;
/// what follows from it, the session's own callbacks too, happens once libmosquitto is left (work()).
class SessionCore final : public Session, private HandleEvents {
 public:
  SessionCore(EventLoop& loop, SessionOptions options, Callbacks callbacks);
  ~SessionCore() override;
  SessionCore(const SessionCore&) = delete;
  SessionCore& operator=(const SessionCore&) = delete;

  Result<void> start() override;
  void subscribe(const std::string& filter, SubscribeOptions options, Completion<> done) override;
  void unsubscribe(const std::string& filter) override;
  void publish(Message message, Completion<> done) override;
  void stop(Duration deadline, Completion<> done) override;
  [[nodiscard]] bool connected() const override { return state_ == State::connected; }
  [[nodiscard]] Version version() const override { return agreed_ ? version_ : Version::automatic; }
  [[nodiscard]] SessionCounters counters() const override;

 private:
  enum class State : std::uint8_t { idle, waiting, dialing, connecting, connected, ended };

  void on_connack(const Connack& connack) override { connack_ = connack; }
  void on_published(int mid, int reason) override { publisher_.published(mid, reason, answers_); }
  void on_message(Message message) override;
  void on_suback(int mid, const std::vector<int>& codes) override;
  void on_closed(int code) override;

  void attempt();
  Result<void> open(int fd);
  /// Everything that is to be done now; returns at once when a callback destroyed the session.
  void work();
  bool deliver();
  bool accept(const Connack& connack);
  bool hand_out(Message message);
  void stored(std::uint64_t connection, int qos, bool good);
  void push();
  void watch();
  void tick();
  void hold_expired();
  void give_up(const Error& why);
  void ended(const Error& why);
  [[nodiscard]] Error closed_reason() const;
  [[nodiscard]] bool falls_back(const Error& why);
  void drop_connection();
  void finish(const Error& why);
  void soon() { soon_timer_->start(Duration(0)); }
  /// Received QoS 1 and 2 messages are not stored yet: nothing is written, since their PUBACKs are queued.
  [[nodiscard]] bool holds() const { return unstored_ > 0; }

  EventLoop& loop_;
  SessionOptions options_;
  Callbacks callbacks_;
  std::string where_;  ///< host:port
  std::string client_id_;
  std::unique_ptr<TlsContext> tls_;
  std::unique_ptr<Handle> handle_;
  std::unique_ptr<FdWatch> watch_;
  Operation dialing_;
  std::unique_ptr<Timer> attempt_timer_, retry_timer_, tick_timer_, hold_timer_, soon_timer_, stop_timer_;
  Publisher publisher_;
  Subscriptions subscriptions_;
  Answers answers_;
  std::deque<Message> arrived_;
  std::optional<Connack> connack_;  ///< to be looked at
  std::optional<Connack> refusal_;  ///< why this connection is closed
  std::optional<int> closed_;
  Backoff backoff_;
  Completion<> stopped_;
  State state_ = State::idle;
  Version version_;  ///< of this attempt or connection
  bool agreed_ = false;
  bool stopping_ = false;
  bool dropping_ = false;
  bool refused_store_ = false;
  std::size_t unstored_ = 0;    ///< of QoS 1 and 2
  std::size_t unanswered_ = 0;  ///< all that were handed out
  std::uint64_t connection_ = 0;
  TimePoint connected_at_{};
  std::uint64_t not_taken_ = 0, received_ = 0, dropped_ = 0, connects_ = 0, failures_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace aiot::mqtt
