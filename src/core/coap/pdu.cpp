#include "core/coap/pdu.h"

namespace aiot::coap {

std::string_view payload_of(const coap_pdu_t* pdu) {
  std::size_t size = 0;
  const std::uint8_t* data = nullptr;
  if (!coap_get_data(pdu, &size, &data) || data == nullptr) return {};
  return view(data, size);
}

std::string_view token_of(const coap_pdu_t* pdu) {
  const auto token = coap_pdu_get_token(pdu);
  return view(token.s, token.length);
}

std::optional<std::string_view> bytes_option(const coap_pdu_t* pdu, std::uint16_t number) {
  coap_opt_iterator_t iterator;
  const coap_opt_t* option = coap_check_option(pdu, number, &iterator);
  if (option == nullptr) return std::nullopt;
  return view(coap_opt_value(option), coap_opt_length(option));
}

std::optional<std::uint32_t> uint_option(const coap_pdu_t* pdu, std::uint16_t number) {
  const auto value = bytes_option(pdu, number);
  if (!value || value->size() > 4) return std::nullopt;
  return coap_decode_var_bytes(bytes(*value), value->size());
}

std::optional<Block> block_option(const coap_pdu_t* pdu, std::uint16_t number, bool reliable) {
  const auto value = bytes_option(pdu, number);
  if (!value || value->size() > 3) return std::nullopt;
  const auto block = Block::decode(coap_decode_var_bytes(bytes(*value), value->size()));
  if (block.szx == Block::kBert && !reliable) return std::nullopt;
  return block;
}

bool add_uint(coap_pdu_t* pdu, std::uint16_t number, std::uint32_t value) {
  std::uint8_t buffer[4];
  const auto size = coap_encode_var_safe(buffer, sizeof buffer, value);
  return coap_add_option(pdu, number, size, buffer) != 0;
}

bool add_bytes(coap_pdu_t* pdu, std::uint16_t number, std::string_view value) {
  return coap_add_option(pdu, number, value.size(), bytes(value)) != 0;
}

coap_pdu_code_t request_code(Method method) {
  switch (method) {
    case Method::get: return COAP_REQUEST_CODE_GET;
    case Method::put: return COAP_REQUEST_CODE_PUT;
    case Method::post: return COAP_REQUEST_CODE_POST;
    case Method::del: return COAP_REQUEST_CODE_DELETE;
    case Method::fetch: return COAP_REQUEST_CODE_FETCH;
    case Method::patch: return COAP_REQUEST_CODE_PATCH;
    case Method::ipatch: return COAP_REQUEST_CODE_IPATCH;
  }
  return COAP_REQUEST_CODE_GET;
}

std::optional<Method> method_of(coap_pdu_code_t code) {
  switch (code) {
    case COAP_REQUEST_CODE_GET: return Method::get;
    case COAP_REQUEST_CODE_PUT: return Method::put;
    case COAP_REQUEST_CODE_POST: return Method::post;
    case COAP_REQUEST_CODE_DELETE: return Method::del;
    case COAP_REQUEST_CODE_FETCH: return Method::fetch;
    case COAP_REQUEST_CODE_PATCH: return Method::patch;
    case COAP_REQUEST_CODE_IPATCH: return Method::ipatch;
    default: return std::nullopt;
  }
}

}  // namespace aiot::coap
