#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/client.h"
#include "core/loop/event_loop.h"
#include "core/mqtt/mqtt_client.h"

namespace aiot::mqtt {

/// Who reads over a link. A reader may leave the link in any of these calls.
class Reader {
 public:
  virtual ~Reader() = default;
  [[nodiscard]] virtual const std::string& filter() const = 0;
  [[nodiscard]] virtual SubscribeOptions options() const = 0;
  virtual void subscribed(Result<void> result) = 0;
  virtual void received(const Message& message) = 0;
  virtual void lost(const Error& why) = 0;
  virtual void resumed() = 0;
  /// No connection was made at all: the link is of no use any more.
  virtual void failed(const Error& why) = 0;
};

/// A session that requests share. Until its first connection a failure is everybody's; later ones are told to
/// readers, and what is published waits, until no connection or no acknowledgement has come for `timeout`.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(EventLoop& loop, const Uri& uri, const ClientOptions& options, Duration timeout);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void start();
  [[nodiscard]] bool dead() const { return dead_; }
  [[nodiscard]] bool connected() const { return session_ && session_->connected(); }
  [[nodiscard]] const std::optional<Error>& last_failure() const { return last_failure_; }
  [[nodiscard]] Version version() const { return session_ ? session_->version() : Version::automatic; }

  /// `filter` may match what a reader's does.
  [[nodiscard]] bool overlaps(const std::string& filter) const;
  void add(const std::shared_ptr<Reader>& reader);
  void remove(const Reader* reader);
  void publish(Message message, Completion<> done);

 private:
  void connected_again();
  void disconnected(const Error& why);
  void deliver(const Message& message, Completion<> stored);
  void stalled();
  void end(const Error& why, Outcome outcome);

  EventLoop& loop_;
  Duration timeout_;
  SessionOptions options_;
  std::unique_ptr<Session> session_;
  std::vector<std::shared_ptr<Reader>> readers_;
  std::unique_ptr<Timer> stall_timer_;
  std::unique_ptr<Timer> end_timer_;
  std::optional<Error> last_failure_;
  std::map<std::uint64_t, Completion<>> pending_;  ///< what is published, without its answer
  std::uint64_t next_ = 0;
  bool ever_connected_ = false;
  bool dead_ = false;
  Outcome outcome_ = Outcome::none;
};

}  // namespace aiot::mqtt
