#include "core/codec/link_format.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/text.h"

namespace aiot {

namespace {

/// More than any attribute registered; what a list of links can hold is bounded by these together.
constexpr std::size_t kMaxAttributes = 64;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

/// RFC 5987 attr-char and the '*' of an extended name.
bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$&+-.^_`|~*").find(c) != std::string_view::npos;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Link>> run() {
    std::vector<Link> links;
    for (;;) {
      skip_space();
      if (at_ == text_.size()) return links;
      if (text_[at_] == ',') {  // an empty element, as RFC 7230 section 7 lets recipients accept
        ++at_;
        continue;
      }
      if (links.size() == kMaxLinks) return fail(fmt::format("more than {} links", kMaxLinks));
      Link link;
      if (auto parsed = parse_link(link); !parsed) return std::move(parsed).error();
      links.push_back(std::move(link));
      skip_space();
      if (at_ < text_.size() && text_[at_] != ',') return fail("expected ',' or ';'");
    }
  }

 private:
  Error fail(std::string_view what) const {
    return make_error(Errc::peer_failed, fmt::format("malformed link-format at offset {}: {}", at_, what));
  }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  Result<> parse_link(Link& link) {
    if (text_[at_] != '<') return fail("expected '<'");
    const auto close = text_.find_first_of("<>", at_ + 1);
    if (close == std::string_view::npos || text_[close] != '>') return fail("'<' without '>'");
    const auto target = text_.substr(at_ + 1, close - at_ - 1);
    if (std::any_of(target.begin(), target.end(), is_control)) return fail("a control character in a target");
    link.target = target;
    at_ = close + 1;
    for (;;) {
      skip_space();
      if (at_ == text_.size() || text_[at_] != ';') return {};
      ++at_;
      skip_space();
      if (link.attributes.size() == kMaxAttributes) {
        return fail(fmt::format("more than {} attributes on a link", kMaxAttributes));
      }
      if (auto parsed = parse_attribute(link); !parsed) return parsed;
    }
  }

  Result<> parse_attribute(Link& link) {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
    if (at_ == start) return fail("expected the name of an attribute");
    auto name = text::lower(text_.substr(start, at_ - start));
    skip_space();
    if (at_ == text_.size() || text_[at_] != '=') {
      link.attributes.emplace_back(std::move(name), std::nullopt);
      return {};
    }
    ++at_;
    skip_space();
    std::string value;
    if (at_ < text_.size() && text_[at_] == '"') {
      if (auto parsed = parse_quoted(value); !parsed) return parsed;
    } else {
      const std::size_t from = at_;
      while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != ',' && text_[at_] != ';') {
        if (text_[at_] == '"' || is_control(text_[at_])) return fail("a character that needs quotes");
        ++at_;
      }
      value = text_.substr(from, at_ - from);
    }
    link.attributes.emplace_back(std::move(name), std::move(value));
    return {};
  }

  /// A quoted-string (RFC 2616 section 2.2): '\' makes the next character itself.
  Result<> parse_quoted(std::string& value) {
    const std::size_t open = at_++;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\' && ++at_ == text_.size()) break;
      value += text_[at_++];
    }
    if (at_ >= text_.size()) {
      at_ = open;
      return fail("a quoted value without its end");
    }
    ++at_;
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

bool Link::has(std::string_view name) const {
  return std::any_of(attributes.begin(), attributes.end(),
                     [&](const auto& attribute) { return attribute.first == name; });
}

std::optional<std::string_view> Link::value(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (key == name && value) return *value;
  }
  return std::nullopt;
}

std::vector<std::string> Link::values(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [key, value] : attributes) {
    if (key != name || !value) continue;
    for (const auto item : text::split(*value, ' ')) {
      if (!item.empty()) out.emplace_back(item);
    }
  }
  return out;
}

Result<std::vector<Link>> parse_link_format(std::string_view text) {
  if (text.size() > kMaxLinkFormatBytes) {
    return make_error(Errc::peer_failed, fmt::format("a link-format document of {} bytes is longer than {}",
                                                     text.size(), kMaxLinkFormatBytes));
  }
  return Parser(text).run();
}

std::string format_link_format(const std::vector<Link>& links) {
  std::string out;
  for (const auto& link : links) {
    if (!out.empty()) out += ',';
    out += '<';
    for (const char c : link.target) {
      if (c == '<' || c == '>' || is_control(c)) {
        out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
      } else {
        out += c;
      }
    }
    out += '>';
    for (const auto& [name, value] : link.attributes) {
      out += ';';
      out += name;
      if (!value) continue;
      out += '=';
      // Numbers stand bare (ct=40, sz=512); for texts quotes are always right and sometimes required.
      const bool number = !value->empty() && std::all_of(value->begin(), value->end(),
                                                         [](char c) { return c >= '0' && c <= '9'; });
      if (number) {
        out += *value;
        continue;
      }
      out += '"';
      for (const char c : *value) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
      out += '"';
    }
  }
  return out;
}

}  // namespace aiot
