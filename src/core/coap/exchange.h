#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/client.h"
#include "core/coap/block.h"
#include "core/coap/coap_server.h"
#include "core/coap/context.h"
#include "core/coap/duplicate_filter.h"

namespace aiot::coap {

class Server;
struct Exchange;
class ExchangeList;

/// A request while its handler runs: libcoap's response PDU is at hand.
struct Call {
  const coap_pdu_t* request = nullptr;
  coap_pdu_t* response = nullptr;
  Exchange* exchange = nullptr;  ///< null as soon as it is answered
};

/// One request from its arrival to its answer. Kept by the server for reuse, so that a request costs no
/// allocation.
struct Exchange {
  Server* server = nullptr;  ///< null when the server is gone
  Call* call = nullptr;      ///< while the handler runs
  coap_session_t* session = nullptr;
  SessionRef keeps_session;  ///< once deferred

  bool datagram = true;
  bool confirmable = false;
  bool multicast = false;
  bool spoofable = false;        ///< its sender may be somewhere else than he says
  bool reduced = false;          ///< the answer must not be larger than affordable()
  bool asked = false;            ///< its peer has had the time to show where he is
  bool acknowledged = false;     ///< an empty ACK went out
  bool closed = false;           ///< answered over the handler's head; its answer goes nowhere
  std::uint8_t no_response = 0;  ///< classes not wanted (RFC 7967)
  Method method = Method::get;
  std::uint16_t message_id = 0;
  std::uint8_t token_size = 0;
  std::size_t request_size = 0;  ///< of the datagram; rather too small than too large
  std::array<char, 8> token{};
  DuplicateFilter::Slot slot;
  std::optional<Block> block1;  ///< to be echoed
  std::optional<Block> block2;  ///< as asked for
  std::string_view payload;     ///< of the message, not of the reassembled upload
  std::string key;              ///< names what is asked for, once needed
  std::string payload_copy;     ///< what `payload` shows once deferred

  std::optional<ServerReply> unproved;  ///< leaves when the peer has shown where he is, or not

  // In a list of the server's, oldest first: of those whose ACK is held back, of those whose peer has to show
  // where he is, or of all others that are deferred.
  ExchangeList* in = nullptr;
  Exchange* before = nullptr;
  Exchange* after = nullptr;
  TimePoint held_until;

  [[nodiscard]] std::string_view token_view() const { return {token.data(), token_size}; }
  /// The largest answer for somebody who may not be the sender. "Received '...'" and a block of 16 bytes fit
  /// whatever was asked.
  [[nodiscard]] std::size_t affordable() const { return request_size + 32; }
};

/// Exchanges in order of arrival, linked through themselves.
class ExchangeList {
 public:
  void push(Exchange& exchange) {
    exchange.in = this;
    exchange.before = last_;
    exchange.after = nullptr;
    (last_ != nullptr ? last_->after : first_) = &exchange;
    last_ = &exchange;
    ++size_;
  }
  void remove(Exchange& exchange) {
    (exchange.before != nullptr ? exchange.before->after : first_) = exchange.after;
    (exchange.after != nullptr ? exchange.after->before : last_) = exchange.before;
    exchange.before = exchange.after = nullptr;
    exchange.in = nullptr;
    --size_;
  }
  /// Takes it from the list it is in, if any.
  static void leave(Exchange& exchange) {
    if (exchange.in != nullptr) exchange.in->remove(exchange);
  }
  [[nodiscard]] Exchange* first() const { return first_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  Exchange* first_ = nullptr;
  Exchange* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace aiot::coap
