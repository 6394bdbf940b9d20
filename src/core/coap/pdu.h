#pragma once

#include <coap3/coap.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/client.h"
#include "core/coap/block.h"

/// Inside the room only: reading and filling libcoap's PDUs, for client and server alike.
namespace aiot::coap {

[[nodiscard]] inline std::string_view view(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}
[[nodiscard]] inline const std::uint8_t* bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

/// The payload; empty when there is none. Lives as long as the PDU.
[[nodiscard]] std::string_view payload_of(const coap_pdu_t* pdu);
[[nodiscard]] std::string_view token_of(const coap_pdu_t* pdu);
/// The first option `number` as an unsigned integer; none when absent or longer than 4 bytes.
[[nodiscard]] std::optional<std::uint32_t> uint_option(const coap_pdu_t* pdu, std::uint16_t number);
/// The first option `number` as bytes.
[[nodiscard]] std::optional<std::string_view> bytes_option(const coap_pdu_t* pdu, std::uint16_t number);
/// Block1 or Block2; none when absent, longer than 3 bytes, or (on datagrams) of the reserved size 7.
[[nodiscard]] std::optional<Block> block_option(const coap_pdu_t* pdu, std::uint16_t number,
                                                bool reliable = false);

/// Calls `function(std::uint16_t number, std::string_view value)` for each option in order.
template <class F>
void for_each_option(const coap_pdu_t* pdu, F&& function) {
  coap_opt_iterator_t iterator;
  coap_option_iterator_init(pdu, &iterator, COAP_OPT_ALL);
  while (const coap_opt_t* option = coap_option_next(&iterator))
    function(static_cast<std::uint16_t>(iterator.number),
             view(coap_opt_value(option), coap_opt_length(option)));
}

/// Options must be added in order of number, before the payload. False when the PDU is full.
bool add_uint(coap_pdu_t* pdu, std::uint16_t number, std::uint32_t value);
bool add_bytes(coap_pdu_t* pdu, std::uint16_t number, std::string_view value);

[[nodiscard]] coap_pdu_code_t request_code(Method method);
/// None for codes that are no request of ours.
[[nodiscard]] std::optional<Method> method_of(coap_pdu_code_t code);

}  // namespace aiot::coap
