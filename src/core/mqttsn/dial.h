#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/uri.h"
#include "core/mqttsn/client_link.h"

namespace aiot::mqttsn {

/// Inside the room only: a connection to the gateway that a URI names. Its addresses are tried in turn until
/// one answers; from then on a loss is followed by a reconnect.
class Dial : public std::enable_shared_from_this<Dial>, private ClientEvents {
 public:
  using ClientEvents::Ticket;
  Dial(EventLoop& loop, Uri uri) : loop_(loop), uri_(std::move(uri)) {}
  ~Dial() override = default;
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

 protected:
  /// Begins; the first call comes on a turn of its own.
  void dial();
  /// Lets go of everything, on the next turn: it may be called from an event.
  void hang_up();
  /// Null until opened().
  [[nodiscard]] ClientLink* link() const { return link_.get(); }
  [[nodiscard]] EventLoop& loop() const { return loop_; }
  [[nodiscard]] const Uri& uri() const { return uri_; }
  /// "no answer from the MQTT-SN gateway at HOST:PORT within 10s".
  [[nodiscard]] Error unanswered(Duration timeout) const;

  /// The link is new: whatever is wanted is to be asked for (again).
  virtual void opened() = 0;
  /// There is no such host, no socket, or the gateway refuses the connection.
  virtual void failed(Error why) = 0;
  virtual void message(Message message) = 0;
  virtual void answered(Ticket ticket, Result<> result) = 0;
  virtual void away(const Error& /*why*/) {}
  virtual void back() {}

 private:
  void resolved(Result<std::vector<SocketAddress>> addresses);
  void open_next();
  void connected() final;
  void lost(const Error& why) final;
  void received(Message message) final { this->message(std::move(message)); }
  void done(Ticket ticket, Result<> result) final { answered(ticket, std::move(result)); }
  void asleep() final {}

  EventLoop& loop_;
  Uri uri_;
  Operation resolving_;
  std::vector<SocketAddress> addresses_;
  std::size_t next_ = 0;
  std::unique_ptr<ClientLink> link_;
  bool met_ = false;  ///< a gateway has accepted the connection
  bool away_ = false;
};

}  // namespace aiot::mqttsn
