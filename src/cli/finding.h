#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/function.h"
#include "core/base/result.h"

namespace aiot::cli {

/// What `aiot doctor` found at one point of the way (aiot-doctor(1)).
struct Finding {
  enum class Status : std::uint8_t { ok, warning, failed, skipped };
  std::string check;  ///< "broker.port"
  Status status = Status::ok;
  std::string message;         ///< one sentence without a full stop
  std::string remedy;          ///< what to do about a warning or a failure
  Errc code = Errc::internal;  ///< of a failure

  static Finding ok(std::string check, std::string message);
  static Finding skipped(std::string check, std::string message);
  static Finding warning(std::string check, std::string message, std::string remedy);
  static Finding failed(std::string check, const Error& error, std::string remedy);
};

/// Takes each finding as soon as it is there.
using Report = UniqueFunction<void(const Finding&)>;

/// `{"check","status","message","remedy","code"}`, keys that do not apply left out.
[[nodiscard]] std::string finding_json(const Finding& finding);
/// "FAILED   broker.port  message", and the remedy on a line of its own.
[[nodiscard]] std::string finding_text(const Finding& finding, bool colours);

/// Whether `check` is among those asked for: "broker" has all of "broker.*"; an empty `wanted` has all.
[[nodiscard]] bool is_wanted(const std::string& check, const std::vector<std::string>& wanted);

}  // namespace aiot::cli
