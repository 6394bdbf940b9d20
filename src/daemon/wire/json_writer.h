#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/base/text.h"
#include "core/base/time.h"

namespace aiot::wire {

/// Appends JSON to a string member by member, without a tree in between. Commas come by themselves:
/// one is due unless the text so far ends in an opening bracket or a colon.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out), begin_(out.size()) {}

  void open_object() { open('{'); }
  void open_object(std::string_view name) { open('{', name); }
  void close_object() { out_ += '}'; }
  void open_array(std::string_view name) { open('[', name); }
  void close_array() { out_ += ']'; }

  /// A member's name, of ours (not escaped); its value must follow.
  void name(std::string_view name) {
    separate();
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  /// A member's name that comes from outside.
  void foreign_name(std::string_view name) {
    string(name);
    out_ += ':';
  }
  void string(std::string_view value) {
    separate();
    out_ += '"';
    text::append_json_escaped(out_, value);
    out_ += '"';
  }
  void string(std::string_view name_of, std::string_view value) {
    name(name_of);
    string(value);
  }
  template <class N>
  requires(std::is_arithmetic_v<N> && !std::is_same_v<N, bool>) void number(std::string_view name_of,
                                                                            N value) {
    name(name_of);
    char digits[40];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out_.append(digits, end);
  }
  void boolean(std::string_view name_of, bool value) {
    name(name_of);
    out_ += value ? "true" : "false";
  }
  void time_ms(std::string_view name_of, WallTime value) {
    number(name_of, value.time_since_epoch().count());
  }
  /// `value` with `"encoding":"base64"` when it is not UTF-8.
  void bytes(std::string_view name_of, std::string_view value) {
    if (text::is_utf8(value)) {
      string(name_of, value);
    } else {
      string(name_of, text::base64(value));
      string("encoding", "base64");
    }
  }
  /// Text that is JSON already.
  void raw(std::string_view json) {
    separate();
    out_ += json;
  }

 private:
  void open(char bracket, std::string_view name_of = {}) {
    if (!name_of.empty()) name(name_of);
    separate();
    out_ += bracket;
  }
  void separate() {
    if (out_.size() == begin_) return;
    const char last = out_.back();
    if (last != '{' && last != '[' && last != ':') out_ += ',';
  }

  std::string& out_;
  std::size_t begin_;
};

}  // namespace aiot::wire
