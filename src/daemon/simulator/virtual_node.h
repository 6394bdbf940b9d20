#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/coap/message.h"
#include "daemon/simulator/node_values.h"

namespace aiot::simulator {

/// What a datagram meant to a node.
enum class Heard : std::uint8_t {
  nothing,       ///< not for us, a late answer or a bare ping
  malformed,     ///< not CoAP
  request,       ///< a request was answered
  duplicate,     ///< one that was answered before got the same answer
  write,         ///< a request that changed a value
  alive_answer,  ///< the gateway answered an alive 2.xx
  alive_refusal,
  post_answer,  ///< the gateway answered a post 2.xx
  post_refusal,
  post_accepted,  ///< an empty acknowledgement: stop repeating, the answer comes later
};

/// One virtual node: pure, without socket and clock. It makes datagrams to send and answers those it is
/// given (RFC 7252).
class VirtualNode {
 public:
  VirtualNode(const Blueprint& blueprint, std::size_t number);

  [[nodiscard]] std::string uid() const { return values_.uid(); }

  /// A new `POST /alive` with "alive:UID" or, with `reset`, "reset:UID".
  [[nodiscard]] std::string make_alive(bool reset);
  /// A new `POST /server` with "RESOURCE:VALUE" of the next resource in turn; empty when there is none.
  [[nodiscard]] std::string make_post();
  /// The post that awaits its acknowledgement again, byte for byte (RFC 7252 section 4.2); empty for none.
  [[nodiscard]] std::string_view unacknowledged_post() const { return post_; }
  /// Gives the post up.
  void abandon_post();
  [[nodiscard]] bool awaits_post() const { return post_token_.has_value(); }

  /// Takes one datagram of `peer`; `reply` is set to what must be sent back, empty for nothing.
  [[nodiscard]] Heard receive(const SocketAddress& peer, std::string_view datagram, std::string& reply);

  /// The value of a resource as it was last read, posted or written; empty for a name it does not have.
  [[nodiscard]] std::string_view value(std::string_view resource) const;

 private:
  struct Answered {
    SocketAddress peer;
    std::uint16_t message_id = 0;
    std::string reply;
  };

  std::string make_request(std::string_view path, std::string payload, bool confirmable,
                           std::uint16_t& token);
  Heard take_answer(const coap::Message& message, std::string& reply);
  Heard serve(const coap::Message& request, coap::Message& response);

  const Blueprint& blueprint_;
  NodeValues values_;
  std::uint16_t next_id_;
  std::uint16_t next_token_;
  std::optional<std::uint16_t> alive_token_;
  std::optional<std::uint16_t> post_token_;
  std::uint16_t post_id_ = 0;
  std::string post_;
  /// The last answers, for duplicates (RFC 7252 section 4.5); made on the first request.
  static constexpr std::size_t kRemembered = 8;
  std::unique_ptr<std::array<Answered, kRemembered>> answered_;
  std::size_t next_answered_ = 0;
};

}  // namespace aiot::simulator
