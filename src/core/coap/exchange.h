#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/client.h"
#include "core/coap/block.h"
#include "core/coap/context.h"
#include "core/coap/duplicate_filter.h"

namespace aiot::coap {

class Server;
struct Exchange;

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
  bool acknowledged = false;     ///< an empty ACK went out
  bool closed = false;           ///< answered over the handler's head; its answer goes nowhere
  std::uint8_t no_response = 0;  ///< classes not wanted (RFC 7967)
  Method method = Method::get;
  std::uint16_t message_id = 0;
  std::uint8_t token_size = 0;
  std::array<char, 8> token{};
  DuplicateFilter::Slot slot;
  std::optional<Block> block1;  ///< to be echoed
  std::optional<Block> block2;  ///< as asked for
  std::string_view payload;     ///< of the message, not of the reassembled upload
  std::string key;              ///< names what is asked for, once needed
  std::string payload_copy;     ///< what `payload` shows once deferred

  // In the list of those whose ACK is held back, oldest first, or of all others that are deferred.
  Exchange* before = nullptr;
  Exchange* after = nullptr;
  TimePoint held_until;

  [[nodiscard]] std::string_view token_view() const { return {token.data(), token_size}; }
};

/// Exchanges in order of arrival, linked through themselves.
class ExchangeList {
 public:
  void push(Exchange& exchange) {
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
    --size_;
  }
  [[nodiscard]] Exchange* first() const { return first_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  Exchange* first_ = nullptr;
  Exchange* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace aiot::coap
