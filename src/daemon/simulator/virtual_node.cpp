#include "daemon/simulator/virtual_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/random.h"
#include "core/codec/content_format.h"

namespace aiot::simulator {

namespace {

using coap::Message;

constexpr std::size_t kMaxBlockExponent = 6;  // 1024 bytes
constexpr std::size_t kMaxWritten = 64;       // a led takes one byte; anything longer is refused early

/// The first critical option that these nodes do not know (RFC 7252 section 5.4.1).
bool has_unknown_critical(const Message& message) {
  return std::any_of(message.options.begin(), message.options.end(), [](const auto& option) {
    switch (option.first) {
      case coap::option::kUriHost:
      case coap::option::kUriPort:
      case coap::option::kUriPath:
      case coap::option::kUriQuery:
      case coap::option::kAccept:
      case coap::option::kBlock2:
      case coap::option::kBlock1: return false;
      default: return option.first % 2 == 1;
    }
  });
}

/// Cuts `body` to the block that `request` asks for, or to the first of 1024 bytes (RFC 7959 section 2.4).
void set_body(const Message& request, Message& response, std::string body) {
  const auto asked = request.uint_option(coap::option::kBlock2);
  const auto exponent = std::min<std::uint64_t>(asked ? *asked & 7 : kMaxBlockExponent, kMaxBlockExponent);
  const auto number = asked ? *asked >> 4 : 0;
  const auto size = std::size_t{16} << exponent;
  if (body.size() <= size && number == 0) {
    response.payload = std::move(body);
    return;
  }
  const auto start = static_cast<std::size_t>(number) * size;
  if (start >= body.size()) {
    response.code = coap::code(4, 0);
    response.options.clear();
    return;
  }
  const bool more = body.size() - start > size;
  response.add_uint(coap::option::kBlock2, (number << 4) | (more ? 8U : 0U) | exponent);
  response.payload = body.substr(start, size);
}

std::string empty_message(coap::Type type, std::uint16_t message_id) {
  Message message;
  message.type = type;
  message.message_id = message_id;
  return coap::format_message(message);
}

std::string token_text(std::uint16_t token) {
  return {static_cast<char>(token >> 8), static_cast<char>(token & 0xFF)};
}

std::optional<std::uint16_t> token_of(const Message& message) {
  if (message.token.size() != 2) return std::nullopt;
  return static_cast<std::uint16_t>((static_cast<unsigned char>(message.token[0]) << 8) |
                                    static_cast<unsigned char>(message.token[1]));
}

}  // namespace

VirtualNode::VirtualNode(const Blueprint& blueprint, std::size_t number)
    : blueprint_(blueprint),
      values_(blueprint, number),
      // Random, so that a second run at the same address is not taken for duplicates of the first
      // (RFC 7252 section 4.4).
      next_id_(static_cast<std::uint16_t>(random_u64())),
      next_token_(static_cast<std::uint16_t>(random_u64())) {}

std::string VirtualNode::make_request(std::string_view path, std::string payload, bool confirmable,
                                      std::uint16_t& token) {
  token = next_token_++;
  Message message;
  message.type = confirmable ? coap::Type::con : coap::Type::non;
  message.code = coap::code(0, 2);
  message.message_id = next_id_++;
  message.token = token_text(token);
  message.add(coap::option::kUriPath, std::string(path));
  message.payload = std::move(payload);
  return coap::format_message(message);
}

std::string VirtualNode::make_alive(bool reset) {
  std::uint16_t token = 0;
  auto datagram = make_request("alive", fmt::format("{}:{}", reset ? "reset" : "alive", uid()), false, token);
  alive_token_ = token;
  return datagram;
}

std::string VirtualNode::make_post() {
  const auto index = values_.next();
  if (!index) return {};
  std::uint16_t token = 0;
  post_id_ = next_id_;
  auto datagram = make_request("server", blueprint_.resources[*index].name + ":" + values_.at(*index),
                               blueprint_.confirmable, token);
  post_token_ = token;
  if (blueprint_.confirmable) post_ = datagram;
  return datagram;
}

void VirtualNode::abandon_post() {
  post_token_.reset();
  post_.clear();
}

Heard VirtualNode::take_answer(const Message& message, std::string& reply) {
  const bool ours_by_id = post_token_ && !post_.empty() && message.message_id == post_id_;
  if (message.code == 0) {
    if (!ours_by_id) return Heard::nothing;
    if (message.type == coap::Type::rst) {
      abandon_post();
      return Heard::post_refusal;
    }
    post_.clear();
    return Heard::post_accepted;
  }
  // A separate response is acknowledged whether or not we still wait for it (RFC 7252 section 5.2.2).
  if (message.type == coap::Type::con) reply = empty_message(coap::Type::ack, message.message_id);
  const auto token = token_of(message);
  if (!token) return Heard::nothing;
  const bool fine = message.code >> 5 == 2;
  if (token == alive_token_) {
    alive_token_.reset();
    return fine ? Heard::alive_answer : Heard::alive_refusal;
  }
  if (token == post_token_) {
    abandon_post();
    return fine ? Heard::post_answer : Heard::post_refusal;
  }
  return Heard::nothing;
}

Heard VirtualNode::receive(const SocketAddress& peer, std::string_view datagram, std::string& reply) {
  reply.clear();
  auto parsed = coap::parse_message(datagram);
  if (!parsed) {
    // A confirmable message that does not parse is rejected (RFC 7252 section 4.2).
    if (datagram.size() >= 4 && (static_cast<unsigned char>(datagram[0]) >> 4) == 4) {
      reply = empty_message(coap::Type::rst,
                            static_cast<std::uint16_t>((static_cast<unsigned char>(datagram[2]) << 8) |
                                                       static_cast<unsigned char>(datagram[3])));
    }
    return Heard::malformed;
  }
  const Message& message = *parsed;
  const auto klass = message.code >> 5;
  if (message.code == 0 && message.type == coap::Type::con) {
    reply = empty_message(coap::Type::rst, message.message_id);  // a ping (section 4.3)
    return Heard::nothing;
  }
  if (message.code == 0 || klass != 0) return take_answer(message, reply);
  if (message.type != coap::Type::con && message.type != coap::Type::non) return Heard::nothing;

  if (answered_) {
    for (const auto& answer : *answered_) {
      if (answer.reply.empty() || answer.message_id != message.message_id || answer.peer != peer) continue;
      reply = answer.reply;
      return Heard::duplicate;
    }
  }
  Message response;
  response.type = message.type == coap::Type::con ? coap::Type::ack : coap::Type::non;
  response.message_id = message.type == coap::Type::con ? message.message_id : next_id_++;
  response.token = message.token;
  const auto heard = serve(message, response);
  reply = coap::format_message(response);
  if (!answered_) answered_ = std::make_unique<std::array<Answered, kRemembered>>();
  (*answered_)[next_answered_++ % kRemembered] = Answered{peer, message.message_id, reply};
  return heard;
}

Heard VirtualNode::serve(const Message& request, Message& response) {
  if (has_unknown_critical(request)) {
    response.code = coap::code(4, 2);
    return Heard::request;
  }
  const auto path = request.string_options(coap::option::kUriPath);
  const auto accept = request.uint_option(coap::option::kAccept);
  const bool reads = request.code == coap::code(0, 1);
  const bool is_core = path.size() == 2 && path[0] == ".well-known" && path[1] == "core";
  const auto found = path.size() == 1 ? values_.find(path[0]) : std::nullopt;
  if (!is_core && !found) {
    response.code = coap::code(4, 4);
    return Heard::request;
  }
  const auto format = is_core ? content_format::kLinkFormat : content_format::kText;
  if (reads) {
    if (accept && *accept != format) {
      response.code = coap::code(4, 6);
      return Heard::request;
    }
    response.code = coap::code(2, 5);
    response.add_uint(coap::option::kContentFormat, format);
    if (is_core) {
      set_body(request, response, blueprint_.links);
    } else {
      set_body(request, response, values_.sample(*found));
    }
    return Heard::request;
  }
  if (request.code != coap::code(0, 3) || is_core || !blueprint_.resources[*found].writable()) {
    response.code = coap::code(4, 5);
    return Heard::request;
  }
  if (request.payload.size() > kMaxWritten || request.uint_option(coap::option::kBlock1).value_or(0) > 7) {
    response.code = coap::code(4, 13);
    return Heard::request;
  }
  if (!values_.write(*found, request.payload)) {
    response.code = coap::code(4, 0);
    return Heard::request;
  }
  response.code = coap::code(2, 4);
  return Heard::write;
}

std::string_view VirtualNode::value(std::string_view resource) const {
  if (const auto index = values_.find(resource)) return values_.at(*index);
  return {};
}

}  // namespace aiot::simulator
