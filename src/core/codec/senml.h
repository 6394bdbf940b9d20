#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace aiot {

/// One resolved SenML record (RFC 8428 section 4.6): base values applied.
struct SenmlRecord {
  std::string name;
  std::string unit;
  double time = 0;  ///< seconds; below 2^28 relative to now (section 4.5.3)
  std::optional<double> number;
  std::optional<std::string> text;
  std::optional<bool> boolean;
  std::optional<std::string> data;  ///< decoded bytes
  std::optional<double> sum;
};

inline constexpr std::size_t kMaxSenmlRecords = 4096;

/// From the JSON form (labels "bn", "n", "v" ...). Errc::peer_failed names the record and member.
[[nodiscard]] Result<std::vector<SenmlRecord>> parse_senml_json(std::string_view text);
/// From the CBOR form (integer labels, section 6).
[[nodiscard]] Result<std::vector<SenmlRecord>> parse_senml_cbor(std::string_view bytes);
/// The CBOR form rewritten with JSON labels, for display. Byte values are base64url.
[[nodiscard]] Result<nlohmann::json> senml_cbor_to_json(std::string_view bytes);

}  // namespace aiot
