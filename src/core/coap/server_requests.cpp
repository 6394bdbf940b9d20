#include <algorithm>
#include <cstring>
#include <utility>

#include "core/coap/answer_writer.h"
#include "core/coap/pdu.h"
#include "core/coap/responder.h"
#include "core/coap/server.h"

/// The way in: from libcoap's PDU to the handler.
namespace aiot::coap {
namespace {

constexpr std::uint16_t kNoResponse = 258;  // RFC 7967
constexpr std::uint16_t kRequestTag = 292;  // RFC 9175

/// Nothing at all is sent for a response of type NON without a code.
void keep_silent(coap_pdu_t* response) {
  coap_pdu_set_type(response, COAP_MESSAGE_NON);
  coap_pdu_set_code(response, COAP_EMPTY_CODE);
}

std::optional<std::uint32_t> to_uint(std::string_view value, std::size_t longest) {
  if (value.size() > longest) return std::nullopt;
  return coap_decode_var_bytes(bytes(value), value.size());
}

}  // namespace

/// What the options say.
struct Server::Parsed {
  std::optional<std::uint16_t> content_format;
  std::optional<std::uint16_t> accept;
  std::optional<std::uint32_t> size1;
  std::string_view request_tag;
  bool conditional = false;  ///< If-Match or If-None-Match, which are critical and not supported
  bool bad_block = false;

  void read(const coap_pdu_t* request, Exchange& exchange, std::vector<std::string_view>& path,
            std::vector<std::string_view>& query) {
    for_each_option(request, [&](std::uint16_t number, std::string_view value) {
      exchange.request_size += 1 + value.size();
      switch (number) {
        case option::kUriPath: path.push_back(value); break;
        case option::kUriQuery: query.push_back(value); break;
        case option::kContentFormat:
          if (const auto format = to_uint(value, 2)) content_format = static_cast<std::uint16_t>(*format);
          break;
        case option::kAccept:
          if (const auto format = to_uint(value, 2)) accept = static_cast<std::uint16_t>(*format);
          break;
        case option::kBlock1: read_block(value, exchange.datagram, exchange.block1); break;
        case option::kBlock2: read_block(value, exchange.datagram, exchange.block2); break;
        case option::kSize1: size1 = to_uint(value, 4); break;
        case option::kIfMatch:
        case option::kIfNoneMatch: conditional = true; break;
        case kNoResponse:
          if (const auto classes = to_uint(value, 1))
            exchange.no_response = static_cast<std::uint8_t>(*classes);
          break;
        case kRequestTag: request_tag = value; break;
        default: break;
      }
    });
  }

  void read_block(std::string_view value, bool datagram, std::optional<Block>& out) {
    const auto number = to_uint(value, 3);
    if (number) out = Block::decode(*number);
    if (!number || (datagram && out->szx == Block::kBert)) bad_block = true;
  }
};

void Server::on_libcoap_request(coap_resource_t*, coap_session_t* session, const coap_pdu_t* request,
                                const coap_string_t*, coap_pdu_t* response) noexcept {
  if (auto* const server = static_cast<Server*>(Context::owner_of(session))) {
    server->handle(session, request, response);
  } else {
    keep_silent(response);
  }
}

void Server::handle(coap_session_t* session, const coap_pdu_t* request, coap_pdu_t* response) {
  auto& exchange = take_exchange();
  current_ = &exchange;
  Call call{request, response, &exchange};
  exchange.call = &call;
  exchange.session = session;
  const auto protocol = coap_session_get_proto(session);
  exchange.datagram = protocol == COAP_PROTO_UDP || protocol == COAP_PROTO_DTLS;
  exchange.confirmable = coap_pdu_get_type(request) == COAP_MESSAGE_CON;
  exchange.message_id = static_cast<std::uint16_t>(coap_pdu_get_mid(request));
  exchange.payload = payload_of(request);
  exchange.method = method_of(coap_pdu_get_code(request)).value_or(Method::get);
  const auto token = token_of(request);
  exchange.token_size = static_cast<std::uint8_t>(std::min(token.size(), exchange.token.size()));
  std::memcpy(exchange.token.data(), token.data(), exchange.token_size);

  peer_.address = from_coap(*coap_session_get_addr_remote(session));
  peer_.local = from_coap(*coap_session_get_addr_local(session));
  peer_.transport = exchange.datagram ? Transport::udp : Transport::tcp;
  if (options_.security) peer_.credential = secured(session).identity;
  exchange.multicast = exchange.datagram && peer_.local.is_multicast();
  exchange.spoofable = !exchange.multicast && coap_session_get_proto(session) == COAP_PROTO_UDP;
  exchange.request_size = 4 + token.size() + (exchange.payload.empty() ? 0 : 1 + exchange.payload.size());

  if (exchange.datagram) {
    exchange.slot = filter_.note(peer_.address, exchange.message_id,
                                 DuplicateFilter::fingerprint(token, exchange.payload), loop_.now());
    if (!exchange.slot.fresh) {
      answer_repeat(exchange, response);
      give_back(exchange);
      return;
    }
  }
  if (exchange.multicast && exchange.method != Method::get) {
    keep_silent(response);
    give_back(exchange);
    return;
  }

  path_.clear();
  query_.clear();
  Parsed parsed;
  parsed.read(request, exchange, path_, query_);
  if (parsed.conditional) return refuse(exchange, code(4, 2), "If-Match and If-None-Match are not supported");
  if (parsed.bad_block) return refuse(exchange, code(4, 0), "malformed block option");

  std::string body;
  auto payload = exchange.payload;
  if (exchange.block1) {
    const bool one_of_many = exchange.block1->more || exchange.block1->number > 0;
    if (one_of_many && !take_upload(exchange, parsed, body)) return;
    if (one_of_many) payload = body;
  }
  if (payload.size() > options_.max_upload) return refuse(exchange, code(4, 13), "too large");
  if (exchange.block2 && exchange.block2->number > 0 && !take_later_block(exchange)) return;
  call_handler(exchange, parsed, payload);
}

void Server::answer_repeat(const Exchange& exchange, coap_pdu_t* response) {
  ++counters_.duplicates;
  const auto repeat = filter_.repeat(exchange.slot);
  using State = DuplicateFilter::State;
  // An empty ACK is what libcoap sends for a CON that was given no answer.
  if (repeat.state == State::separate && exchange.confirmable) return;
  if (repeat.state != State::answered || exchange.multicast) return keep_silent(response);
  AnswerView answer;
  answer.code = repeat.code;
  if (repeat.answer != nullptr) answer = repeat.answer->view(exchange.payload, scratch_);
  write_answer(response, answer);
}

bool Server::take_upload(Exchange& exchange, const Parsed& parsed, std::string& body) {
  name(exchange);
  auto key = exchange.key;
  key += '\n';
  key += parsed.request_tag;
  auto outcome =
      uploads_.add(key, *exchange.block1, exchange.payload, parsed.size1, parsed.content_format, loop_.now());
  arm_sweep();
  using Status = UploadTable::Status;
  if (outcome.status == Status::whole) {
    exchange.block1->more = false;
    body = std::move(outcome.body);
    return true;
  }
  if (outcome.status == Status::more) {
    AnswerView proceed;
    proceed.code = code(2, 31);
    proceed.block1 = exchange.block1->encode();
    answer_now(exchange, proceed);
    return false;
  }
  ++counters_.uploads_refused;
  if (outcome.status == Status::too_large) {
    exchange.block1.reset();
    AnswerView refused;
    refused.code = code(4, 13);
    refused.size1 = static_cast<std::uint32_t>(options_.max_upload);
    answer_now(exchange, refused);
  } else if (outcome.status == Status::malformed) {
    refuse(exchange, code(4, 0), "a block that is not the last must be full");
  } else if (outcome.status == Status::busy) {
    refuse(exchange, code(5, 3), "too many uploads");
  } else {
    refuse(exchange, code(4, 8), "blocks of this upload are missing");
  }
  return false;
}

bool Server::take_later_block(Exchange& exchange) {
  name(exchange);
  if (const auto* body = bodies_.get(exchange.key, loop_.now())) {
    const auto answer = view_of(exchange, *body);
    if (!exchange.spoofable || datagram_size(answer, exchange.token_size) <= exchange.affordable()) {
      answer_now(exchange, answer);
    } else {
      deliver(exchange, ServerReply{body->code, body->payload, body->content_format, {}, body->max_age});
    }
    return false;
  }
  // Asking the handler again is only safe where asking changes nothing.
  if (exchange.method == Method::get || exchange.method == Method::fetch) return true;
  refuse(exchange, code(4, 8), "the rest of this answer is gone");
  return false;
}

void Server::call_handler(Exchange& exchange, const Parsed& parsed, std::string_view payload) {
  Call& call = *exchange.call;
  coap_pdu_t* const response = call.response;
  ++counters_.requests;
  const ServerRequest request{
      exchange.method,
      path_,
      query_,
      payload,
      parsed.content_format,
      parsed.accept,
      peer_,
      exchange.confirmable,
      exchange.message_id,
      exchange.token_view(),
      exchange.multicast,
  };
  Running running;
  running_ = &running;
  handler_(request, Responder(std::make_unique<Responder::Impl>(exchange)));
  if (running.gone) return keep_silent(response);
  running_ = nullptr;
  if (call.exchange != nullptr) defer(*call.exchange);
}

void Server::refuse(Exchange& exchange, std::uint8_t code, std::string_view diagnostic) {
  AnswerView refused;
  refused.code = code;
  refused.payload = diagnostic;
  answer_now(exchange, refused);
}

void Server::answer_now(Exchange& exchange, const AnswerView& answer) {
  Call& call = *exchange.call;
  if (exchange.multicast) {
    // libcoap would wait itself, but forgets the answer when the request comes a second time, by another
    // link.
    keep_silent(call.response);
    if (!unwanted(exchange, answer.code)) send_at_leisure(exchange, answer);
  } else {
    write_answer(call.response, answer);
  }
  note_answer(exchange, answer);
  call.exchange = nullptr;
  give_back(exchange);
}

void Server::name(Exchange& exchange) const {
  if (!exchange.key.empty()) return;
  auto& key = exchange.key;
  key = exchange.datagram ? "u" : "t";
  key += to_string(exchange.method);
  sockaddr_storage address;
  const auto size = peer_.address.to(address);
  key.append(reinterpret_cast<const char*>(&address), size);
  // Segments are told apart by their length, whatever bytes they hold.
  for (const auto* list : {&path_, &query_}) {
    key += list == &path_ ? '/' : '?';
    for (const auto segment : *list) {
      key += std::to_string(segment.size());
      key += ':';
      key += segment;
    }
  }
}

}  // namespace aiot::coap
