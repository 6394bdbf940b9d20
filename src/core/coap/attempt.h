#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/coap/client_core.h"

/// Inside the room only: one request to a host, wherever that is.
namespace aiot::coap {

/// Errc::usage, in a sentence, for a request that CoAP has no words for: scheme, over-long path or query,
/// ETag or payload of impossible size, a multicast group.
[[nodiscard]] Result<> check_request(const Request& request, std::size_t max_payload);

/// The options of a request, without Observe and the block-wise ones.
[[nodiscard]] OptionList request_options(const Request& request);

/// An Answer of class 2 as a Response.
[[nodiscard]] Response make_response(const Request& request, Message message, WallTime time);
/// An Answer of class 4 or 5 (or an impossible one) as an Error: its code, phrase and diagnostic payload.
[[nodiscard]] Error make_answer_error(const Request& request, const Message& message);
[[nodiscard]] inline bool succeeded(const Message& message) {
  return message.code >> 5 == 2 && message.code != code(2, 31);
}
/// Finds the host's addresses and sends the request to one after the other until one is there.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  struct Spec {
    OptionList options;
    SocketAddress local;  ///< empty for any
    TimePoint deadline;
    std::string token;             ///< of an observation; empty for a plain request
    Observer* observer = nullptr;  ///< hears `token` from the moment the request leaves
  };
  using Done = UniqueFunction<void(std::variant<Answer, Failure>)>;

  Attempt(ClientCore& core, const Request& request, Spec spec, Done done);
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt();
  /// `done` may be called inside.
  void start();
  /// Stops, and calls nobody; the observer's token is forgotten.
  void cancel();

  /// Where the answer came from, once `done` has been called with one.
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

 private:
  void on_addresses(Result<std::vector<SocketAddress>> found);
  void try_next();
  void on_exchange(std::variant<Answer, Failure> result);
  void finish(std::variant<Answer, Failure> result);

  ClientCore& core_;
  const Request& request_;
  Spec spec_;
  Done done_;
  Operation resolving_;
  Deadlines::Id resolve_deadline_{};
  std::vector<SocketAddress> addresses_;
  std::size_t next_address_ = 0;
  Endpoint endpoint_;
  std::shared_ptr<Exchange> exchange_;
};

}  // namespace aiot::coap
