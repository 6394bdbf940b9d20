#pragma once

#include <optional>
#include <string>
#include <string_view>

/// The first messages of a DTLS handshake (RFC 6347 section 4.2). Pure.
namespace aiot::coap {

/// A ClientHello, as views into its datagram.
struct ClientHello {
  std::string_view record_sequence;   ///< 6 bytes, to be given back
  std::string_view message_sequence;  ///< 2 bytes, likewise
  std::string_view random;            ///< 32 bytes
  std::string_view cookie;            ///< empty in the first hello
};

/// The datagram begins in the clear with a handshake message of the kind ClientHello, whole or not.
[[nodiscard]] bool is_hello(std::string_view datagram);
/// None when it does not, or is malformed or cut before its cookie ends.
[[nodiscard]] std::optional<ClientHello> parse_hello(std::string_view datagram);
/// The datagram of a HelloVerifyRequest, which asks for the same hello with `cookie` (at most 255 bytes).
[[nodiscard]] std::string hello_verify_request(const ClientHello& hello, std::string_view cookie);

}  // namespace aiot::coap
