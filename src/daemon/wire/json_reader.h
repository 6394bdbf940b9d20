#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace aiot::wire {

/// A pull parser for JSON (RFC 8259) that builds nothing: the hot path of both wires. Strict, bounded
/// in depth (kMaxJsonDepth) and in the length of every string asked for. After a failure every call
/// returns false, so callers check once, at the end.
///
///     reader.enter_object();
///     while (reader.next_member(key)) { if (key == "uid") reader.read_string(uid, kMaxUid); else
///     reader.skip(); } if (!reader.finish()) return reader.error();
class JsonReader {
 public:
  enum class Kind : std::uint8_t { string, number, boolean, null, object, array, end };

  explicit JsonReader(std::string_view text) : text_(text) {}

  /// What the next value is, by its first character; `end` when there is none.
  [[nodiscard]] Kind peek();

  bool enter_object();
  /// True with the next member's name (valid until the next call); false once '}' is passed or on failure.
  bool next_member(std::string_view& name);
  bool enter_array();
  /// True before each element; false once ']' is passed or on failure.
  bool next_element();

  /// Fails on another type and on more than `max` bytes after unescaping.
  bool read_string(std::string& out, std::size_t max);
  /// A whole number from 0 to 2^64 - 1.
  bool read_unsigned(std::uint64_t& out);
  bool read_bool(bool& out);
  /// Passes over one value of any type.
  bool skip();
  /// Passes over one value and shows its text as written.
  bool read_raw(std::string_view& raw);

  /// True when nothing failed and only white space is left.
  bool finish();
  [[nodiscard]] bool failed() const { return what_ != nullptr; }
  /// Fails for a reason of the caller's; `what` must be a literal. Returns false.
  bool fail(const char* what);
  /// The same for a bound of the caller's.
  bool exceed(const char* what);
  /// True when it failed because of a bound: the text may well be JSON.
  [[nodiscard]] bool over_bound() const { return over_bound_; }
  /// Errc::rejected: "<what> at byte N".
  [[nodiscard]] Error error() const;

 private:
  void skip_space();
  bool expect(char wanted, const char* what);
  /// The inside of the string at the cursor, from the text itself or, with escapes, from `scratch`.
  bool string_view_of(std::string_view& inside, std::string& scratch, std::size_t max);
  bool unescape(std::string& out, std::size_t max);
  bool append_code_point(std::string& out);
  bool read_hex(std::uint32_t& out);
  bool skip_number();
  bool skip_word(std::string_view word);

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool fresh_ = false;  ///< the container was just entered: no comma yet
  const char* what_ = nullptr;
  bool over_bound_ = false;
  std::size_t failed_at_ = 0;
  std::string name_;     ///< a member name that had escapes
  std::string discard_;  ///< strings passed over
};

}  // namespace aiot::wire
