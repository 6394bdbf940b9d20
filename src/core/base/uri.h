#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace aiot {

/// A parsed absolute URI of one of aiot's schemes (RFC 3986; zones after RFC 6874; contracts:
/// aiot-uri(7)).
struct Uri {
  std::string text;        ///< as given, for output
  std::string scheme;      ///< lower case
  std::string host;        ///< without brackets and zone; lower case unless numeric; empty if none given
  std::string zone;        ///< IPv6 zone ("lowpan0"), empty for none
  std::uint16_t port = 0;  ///< the scheme's default when not given
  bool explicit_port = false;
  std::vector<std::string> path;   ///< segments, percent-decoded; "/" and none are empty
  std::vector<std::string> query;  ///< items between '&', percent-decoded
  std::string tail;                ///< everything after the host's slash, untouched: an MQTT topic

  /// The path as text: "/a/b"; "/" when empty.
  [[nodiscard]] std::string path_text() const;
  /// scheme://host[:port], canonical: what two URIs of one server share.
  [[nodiscard]] std::string authority() const;
};

/// The default port of `scheme`, 0 for a scheme that is not ours.
[[nodiscard]] std::uint16_t default_port(std::string_view scheme);

/// Parses and checks: known scheme, host present where the scheme needs one, no userinfo (secrets do
/// not belong in arguments), no fragment, valid percent-encoding, at most 8 KB. Errc::usage with a
/// sentence that says what was wrong and where.
[[nodiscard]] Result<Uri> parse_uri(std::string_view text);

/// `segment` percent-encoded for use as one path segment (RFC 3986 pchar less '%').
[[nodiscard]] std::string percent_encode(std::string_view segment);
/// Errc::usage at a '%' that two hex digits do not follow.
[[nodiscard]] Result<std::string> percent_decode(std::string_view text);

}  // namespace aiot
