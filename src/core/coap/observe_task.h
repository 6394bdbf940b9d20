#pragma once

#include <optional>
#include <string>

#include "core/coap/attempt.h"
#include "core/coap/observe_order.h"

/// Inside the room only: Client::observe() (RFC 7641).
namespace aiot::coap {

/// An observation that stands as long as its Operation. It registers; hears notifications in order; registers
/// again with the same peer when Max-Age has passed in silence; and when the peer is lost (no answer,
/// refused, reset, ended by the peer) finds the host again and registers anew, for ever, with growing waits.
class ObserveTask final : public Task, public Observer {
 public:
  using Next = UniqueFunction<void(Client::Notification)>;
  ObserveTask(ClientCore& core, Request request, SocketAddress local, Next next, Completion<> done);
  ~ObserveTask() override;
  void begin();
  void cancel() override;

  void on_notification(Message message) override;
  void on_lost(const std::string& reason) override;

 private:
  void register_anew();
  void on_registered(std::variant<Answer, Failure> result);
  void refresh();
  void on_refreshed(std::variant<Answer, Failure> result);
  void fetch_rest(Message first);
  void retry_later(const std::string& reason);
  void give_up(Error error);

  void await_notification(const Message& message);
  void stop_waiting();
  void forget_registration();
  [[nodiscard]] bool differs(const Message& message) const;
  void emit(Message message);
  void emit(StreamEvent::Kind kind, std::string reason);
  void deliver(Client::Notification notification);
  [[nodiscard]] Transfer make_transfer(OptionList options) const;

  /// What was last delivered, to tell a repetition from news.
  struct Last {
    std::string payload;
    std::optional<std::uint64_t> format;
    std::string etag;
  };

  ClientCore& core_;
  Request request_;
  SocketAddress local_;
  OptionList options_;
  Next next_;
  Completion<> done_;
  std::shared_ptr<Attempt> attempt_;
  std::shared_ptr<Exchange> exchange_;  ///< a refresh, or the rest of a notification
  Endpoint endpoint_;
  std::string token_;
  bool standing_ = false;  ///< the peer has agreed, and `token_` is heard at `endpoint_`
  bool answered_ = false;  ///< the first answer has come: from now on for ever
  bool lost_ = false;      ///< the caller has been told so
  bool cancelled_ = false;
  ObserveOrder order_;
  Backoff backoff_;
  std::optional<Last> last_;
  Deadlines::Id expiry_{};
  Deadlines::Id retry_{};
};

}  // namespace aiot::coap
