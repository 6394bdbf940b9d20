#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace aiot {

/// What kind of failure happened; the names are the `error.code` of every output and decide the
/// exit status (docs: aiot(1), "Exit status").
enum class Errc : std::uint8_t {
  internal,      ///< file, memory or a defect of ours
  usage,         ///< the caller asked for something that cannot be: bad URI, refused verb
  unreachable,   ///< name not found, refused, no route, connection lost, node not live
  timeout,       ///< no answer before the deadline
  rejected,      ///< the peer refused: CoAP 4.xx, HTTP 4xx, not observable
  peer_failed,   ///< the peer failed: CoAP 5.xx, HTTP 5xx, malformed answer
  unauthorized,  ///< not allowed: 4.01, 4.03, 401, 403, handshake
  partial,       ///< some targets failed and others did not
  abandoned,     ///< a Completion was dropped without being called
};

/// The `error.code` text of `code`; `abandoned` is a defect and reads as `internal`.
std::string_view to_string(Errc code);

/// What is known of a write that failed.
enum class Outcome : std::uint8_t {
  none,      ///< not a write
  not_sent,  ///< it never left; repeating it is safe
  rejected,  ///< the peer got it and refused
  unknown,   ///< it left and no answer came; it may have acted
};

std::string_view to_string(Outcome outcome);

/// A failure: its kind and one sentence for a person.
struct Error {
  Errc code = Errc::internal;
  std::string message;  ///< one sentence, names what was wrong and where
  int native = 0;       ///< errno, CoAP code (404 for 4.04) or HTTP status; 0 for none
  Outcome outcome = Outcome::none;
};

inline Error make_error(Errc code, std::string message, int native = 0) {
  return Error{code, std::move(message), native, Outcome::none};
}

/// An Error from `errno`: "<what>: <strerror>"; refused, unreachable and in-use are `unreachable`.
Error errno_error(std::string_view what, int errno_value);

/// A value or an Error; the member names are those of std::expected.
template <class T = void>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  /// Undefined unless has_value(), like std::expected's operator*.
  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T value_or(T other) const& { return has_value() ? **this : std::move(other); }

  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<std::monostate, Error> state_;
};

}  // namespace aiot
