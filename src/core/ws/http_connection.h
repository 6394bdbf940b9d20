#pragma once

#include <list>
#include <memory>
#include <string>

#include "core/ws/server_core.h"

namespace aiot::ws {

/// One accepted connection that speaks HTTP/1.1, until it closes or becomes a WebSocket. Requests are
/// answered one after another; what a client sends ahead waits, up to a bound, then in the socket.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::shared_ptr<ServerCore> core, int descriptor, const SocketAddress& peer, bool secure);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void start();
  /// Answers request number `serial`; ignored when that one is over.
  void reply(std::uint64_t serial, HttpResponse response);
  /// Ends what has waited too long.
  void check_deadline(TimePoint now);
  /// True when nothing is under way for this peer: its next request, or its first, has not come whole.
  [[nodiscard]] bool awaits_head() const { return state_ == State::head; }
  /// True when the peer takes its time with a body or an answer, of a request that began before `then`.
  [[nodiscard]] bool drags(TimePoint then) const {
    return (state_ == State::body || state_ == State::writing) && began_ < then;
  }
  /// Closes as soon as no request is under way.
  void wind_down();
  void close();

  std::list<std::shared_ptr<HttpConnection>>::iterator place;  ///< the core's
  SocketAddress counted;                                       ///< the core's: for whom; empty: not at all

 private:
  enum class State : std::uint8_t { head, body, answering, writing, streaming, draining, closed };

  void on_event(unsigned events);
  void read();
  void process();
  bool process_head();
  bool process_body();
  void dispatch();
  void upgrade();
  void refuse(int status, std::string why, Headers headers = {});
  void start_response(HttpResponse response);
  /// Writes what the socket takes; true when the whole response is out.
  bool write();
  void finish_response();
  /// Writes what the response's stream has.
  void pump();
  void watch(unsigned events);
  void expect_within(Duration wait);
  [[nodiscard]] std::string_view input() const { return std::string_view(in_).substr(in_head_); }
  void drop_input(std::size_t bytes);

  std::shared_ptr<ServerCore> core_;
  int descriptor_;
  const SocketAddress connected_;  ///< the other end, perhaps a proxy's
  const bool encrypted_;
  SocketAddress peer_;  ///< of the current request
  bool secure_;
  std::unique_ptr<FdWatch> watch_;
  unsigned watched_ = 0;
  State state_ = State::head;
  TimePoint deadline_{};
  TimePoint began_{};  ///< when the request's head was there

  std::string in_;
  std::size_t in_head_ = 0;   ///< of in_, already taken
  std::size_t scanned_ = 0;   ///< of the rest, known to hold no end of head
  bool peer_closed_ = false;  ///< the peer sends no more
  bool processing_ = false;

  std::uint64_t serial_ = 0;
  std::uint64_t answered_ = 0;  ///< requests completed: the first head has its own deadline
  RequestHead head_;
  BodyDecoder body_;
  bool keep_alive_ = false;
  bool head_only_ = false;

  std::string out_;  ///< head of the response
  HttpResponse response_;
  std::string_view out_body_;
  std::size_t out_sent_ = 0;
  std::size_t drained_ = 0;
};

}  // namespace aiot::ws
