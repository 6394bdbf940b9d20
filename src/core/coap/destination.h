#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

#include "core/coap/session_pool.h"
#include "core/coap/transfer.h"

/// Inside the room only: one peer, and the requests that go to it one after the other.
namespace aiot::coap {

class ClientCore;

/// What came back, whole.
struct Answer {
  Message message;
  SocketAddress peer;
  Duration rtt{};  ///< of the first message
};

struct Failure {
  Error error;  ///< its outcome says what is known of a write
  /// Nobody was reached here: another address of the same host may do.
  bool elsewhere = false;
};

/// One request to one destination: its transfer, its deadline, and whom to tell.
struct Exchange {
  using Done = UniqueFunction<void(std::variant<Answer, Failure>)>;
  Exchange(Transfer what, bool con, TimePoint until, Done then)
      : transfer(std::move(what)), confirmable(con), deadline(until), done(std::move(then)) {}

  Transfer transfer;
  bool confirmable;
  TimePoint deadline;
  Done done;                ///< called once, perhaps inside submit()
  std::string first_token;  ///< of the first message; empty: any

  // Kept by the destination.
  std::pair<TimePoint, std::uint64_t> deadline_id{};
  std::string token;  ///< of the message that is out
  /// One token for all blocks: some servers (npm's coap) know a transfer by it. An observation's own token is
  /// not for the rest of a notification (RFC 7959 section 2.6).
  std::string block_token;
  std::uint16_t message_id = 0;
  TimePoint sent_at{};
  std::optional<Duration> rtt;
  bool sent = false;
};

/// Hears the notifications of one token.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_notification(Message message) = 0;
  /// The session is gone or the peer refuses it: nothing will come any more.
  virtual void on_lost(const std::string& reason) = 0;
};

/// A peer with its session: one request at a time (NSTART = 1, RFC 7252 section 4.7), the others in order.
class Destination final : public SessionUser {
 public:
  Destination(ClientCore& core, Endpoint endpoint) : core_(core), endpoint_(std::move(endpoint)) {}
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;
  ~Destination() override;

  void submit(std::shared_ptr<Exchange> exchange);
  /// Forgets it without calling it, and stops retransmitting it.
  void cancel(const Exchange& exchange);
  void add_observer(const std::string& token, Observer& observer);
  void remove_observer(const std::string& token);
  /// Sends without expecting an answer; nothing happens without an open session.
  void send_unasked(const Message& message);
  /// Sends what can be sent. The core calls it when a session may be had.
  void start();
  void close_session();

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  [[nodiscard]] bool has_session() const { return session_ != nullptr; }
  [[nodiscard]] bool busy() const { return current_ != nullptr || !waiting_.empty(); }
  [[nodiscard]] bool pinned() const { return !observers_.empty(); }

  void on_event(SessionEvent event) override;
  [[nodiscard]] bool knows_token(std::string_view token) const override;

  // The core's books.
  std::optional<std::list<Destination*>::iterator> idle_at;
  TimePoint idle_since{};
  bool starving = false;
  bool counted_pinned = false;

 private:
  bool ensure_session();
  void send_current();
  void on_message(SessionEvent event);
  void on_refused();
  void on_closed(const std::string& refused);
  void on_deadline(const Exchange& exchange);
  void finish(std::variant<Answer, Failure> result);
  void fail_waiting(const Failure& failure);
  void lose_observers(const std::string& reason);
  [[nodiscard]] Failure failure(Errc code, std::string what, bool acted_upon, int native = 0) const;

  ClientCore& core_;
  Endpoint endpoint_;
  std::shared_ptr<Session> session_;
  bool was_open_ = false;
  std::shared_ptr<Exchange> current_;
  std::deque<std::shared_ptr<Exchange>> waiting_;
  std::unordered_map<std::string, Observer*> observers_;
};

}  // namespace aiot::coap
