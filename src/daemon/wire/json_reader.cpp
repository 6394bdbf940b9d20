#include "daemon/wire/json_reader.h"

#include <fmt/format.h>

#include <charconv>

#include "core/base/text.h"
#include "core/model/update.h"

namespace aiot::wire {
namespace {

constexpr std::size_t kMaxName = 256;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

}  // namespace

void JsonReader::skip_space() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
}

bool JsonReader::exceed(const char* what) {
  if (what_ == nullptr) over_bound_ = true;
  return fail(what);
}

bool JsonReader::fail(const char* what) {
  if (what_ == nullptr) {
    what_ = what;
    failed_at_ = at_;
  }
  return false;
}

Error JsonReader::error() const {
  return make_error(Errc::rejected,
                    fmt::format("{} at byte {}", what_ != nullptr ? what_ : "no error", failed_at_));
}

bool JsonReader::expect(char wanted, const char* what) {
  if (failed()) return false;
  skip_space();
  if (at_ >= text_.size() || text_[at_] != wanted) return fail(what);
  ++at_;
  return true;
}

JsonReader::Kind JsonReader::peek() {
  if (failed()) return Kind::end;
  skip_space();
  if (at_ >= text_.size()) return Kind::end;
  switch (text_[at_]) {
    case '"': return Kind::string;
    case '{': return Kind::object;
    case '[': return Kind::array;
    case 't':
    case 'f': return Kind::boolean;
    case 'n': return Kind::null;
    default: return Kind::number;
  }
}

bool JsonReader::enter_object() {
  if (!expect('{', "expected an object")) return false;
  if (++depth_ > kMaxJsonDepth) return exceed("nested too deeply");
  fresh_ = true;
  return true;
}

bool JsonReader::enter_array() {
  if (!expect('[', "expected an array")) return false;
  if (++depth_ > kMaxJsonDepth) return exceed("nested too deeply");
  fresh_ = true;
  return true;
}

bool JsonReader::next_member(std::string_view& name) {
  if (failed()) return false;
  skip_space();
  if (at_ < text_.size() && text_[at_] == '}') {
    ++at_;
    --depth_;
    fresh_ = false;
    return false;
  }
  if (!fresh_ && !expect(',', "expected ',' or '}'")) return false;
  fresh_ = false;
  if (!expect('"', "expected a member name")) return false;
  return string_view_of(name, name_, kMaxName) && expect(':', "expected ':'");
}

bool JsonReader::next_element() {
  if (failed()) return false;
  skip_space();
  if (at_ < text_.size() && text_[at_] == ']') {
    ++at_;
    --depth_;
    fresh_ = false;
    return false;
  }
  if (!fresh_ && !expect(',', "expected ',' or ']'")) return false;
  fresh_ = false;
  return true;
}

bool JsonReader::string_view_of(std::string_view& inside, std::string& scratch, std::size_t max) {
  const std::size_t begin = at_;
  unsigned char high = 0;
  while (at_ < text_.size()) {
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"' || c == '\\' || c < 0x20) break;
    high |= c;
    ++at_;
  }
  if (at_ >= text_.size()) return fail("a string without its end");
  if (text_[at_] == '"') {
    inside = text_.substr(begin, at_ - begin);
    if (inside.size() > max) return exceed("a string that is too long");
    if ((high & 0x80) != 0 && !text::is_utf8(inside)) return fail("a string that is not UTF-8");
    ++at_;
    return true;
  }
  scratch.assign(text_.substr(begin, at_ - begin));
  if (!unescape(scratch, max)) return false;
  inside = scratch;
  return true;
}

bool JsonReader::unescape(std::string& out, std::size_t max) {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (out.size() > max) return exceed("a string that is too long");
    if (c == '"') {
      if (!text::is_utf8(out)) return fail("a string that is not UTF-8");
      ++at_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return fail("a control character in a string");
    ++at_;
    if (c != '\\') {
      out += c;
      continue;
    }
    if (at_ >= text_.size()) break;
    switch (text_[at_++]) {
      case '"': out += '"'; break;
      case '\\': out += '\\'; break;
      case '/': out += '/'; break;
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case 'u':
        if (!append_code_point(out)) return false;
        break;
      default: return fail("an unknown escape in a string");
    }
  }
  return fail("a string without its end");
}

bool JsonReader::read_hex(std::uint32_t& out) {
  if (text_.size() - at_ < 4) return fail("an incomplete \\u escape");
  const char* begin = text_.data() + at_;
  const auto [end, code] = std::from_chars(begin, begin + 4, out, 16);
  if (code != std::errc() || end != begin + 4) return fail("an incomplete \\u escape");
  at_ += 4;
  return true;
}

bool JsonReader::append_code_point(std::string& out) {
  std::uint32_t code = 0;
  if (!read_hex(code)) return false;
  if (code >= 0xDC00 && code < 0xE000) return fail("half a surrogate pair");
  if (code >= 0xD800 && code < 0xDC00) {
    std::uint32_t low = 0;
    if (text_.substr(at_, 2) != "\\u") return fail("half a surrogate pair");
    at_ += 2;
    if (!read_hex(low)) return false;
    if (low < 0xDC00 || low >= 0xE000) return fail("half a surrogate pair");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(out, code);
  return true;
}

bool JsonReader::read_string(std::string& out, std::size_t max) {
  if (!expect('"', "expected a string")) return false;
  std::string_view inside;
  if (!string_view_of(inside, out, max)) return false;
  if (inside.data() != out.data()) out.assign(inside);
  return true;
}

bool JsonReader::read_unsigned(std::uint64_t& out) {
  if (failed()) return false;
  skip_space();
  const char* begin = text_.data() + at_;
  const char* limit = text_.data() + text_.size();
  const auto [end, code] = std::from_chars(begin, limit, out);
  if (code != std::errc() || (end != limit && (*end == '.' || *end == 'e' || *end == 'E')) ||
      (end - begin > 1 && *begin == '0')) {
    return fail("expected a whole number that is not negative");
  }
  at_ += static_cast<std::size_t>(end - begin);
  return true;
}

bool JsonReader::read_bool(bool& out) {
  if (failed()) return false;
  skip_space();
  out = at_ < text_.size() && text_[at_] == 't';
  return skip_word(out ? "true" : "false");
}

bool JsonReader::skip_word(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) return fail("expected a value");
  at_ += word.size();
  return true;
}

bool JsonReader::skip_number() {
  const std::size_t start = at_;
  const auto digits = [this] {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > begin;
  };
  const auto next_is = [this](char c) { return at_ < text_.size() && text_[at_] == c; };
  if (next_is('-')) ++at_;
  if (next_is('0')) {
    ++at_;
  } else if (!digits()) {
    return fail("expected a value");
  }
  if (next_is('.')) {
    ++at_;
    if (!digits()) return fail("a number without digits after its point");
  }
  if (next_is('e') || next_is('E')) {
    ++at_;
    if (next_is('+') || next_is('-')) ++at_;
    if (!digits()) return fail("a number without digits in its exponent");
  }
  // Copied on as it is, it would be no number to readers that keep a double, or null.
  constexpr std::size_t kAlwaysFits = 300;
  const auto text = text_.substr(start, at_ - start);
  double value = 0;
  if ((text.size() > kAlwaysFits || text.find_first_of("eE") != std::string_view::npos) &&
      std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc())
    return fail("a number beyond the range of a double");
  return true;
}

bool JsonReader::skip() {
  switch (peek()) {
    case Kind::string: {
      ++at_;
      std::string_view inside;
      return string_view_of(inside, discard_, text_.size());
    }
    case Kind::number: return skip_number();
    case Kind::boolean: return skip_word(text_[at_] == 't' ? "true" : "false");
    case Kind::null: return skip_word("null");
    case Kind::object: {
      std::string_view name;
      enter_object();
      while (next_member(name)) skip();
      return !failed();
    }
    case Kind::array:
      enter_array();
      while (next_element()) skip();
      return !failed();
    case Kind::end: break;
  }
  return fail("expected a value");
}

bool JsonReader::read_raw(std::string_view& raw) {
  if (failed()) return false;
  skip_space();
  const std::size_t begin = at_;
  if (!skip()) return false;
  raw = text_.substr(begin, at_ - begin);
  return true;
}

bool JsonReader::finish() {
  if (failed()) return false;
  skip_space();
  return at_ == text_.size() || fail("text after the end of the message");
}

}  // namespace aiot::wire
