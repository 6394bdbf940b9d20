#include "daemon/gateway/node_tokens.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/entries.h"
#include "core/base/secret_file.h"
#include "core/base/text.h"
#include "daemon/gateway/identity.h"

namespace aiot::gateway {

namespace {

/// Room for 65,536 nodes.
constexpr std::size_t kMaxFile = 16UL * 1024 * 1024;

/// RFC 6750 section 2.1, b64token.
bool is_token(std::string_view text) {
  constexpr std::string_view kOthers = "-._~+/=";
  return text.size() >= kMinNodeToken && text.size() <= kMaxNodeToken &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  kOthers.find(c) != std::string_view::npos;
         });
}

}  // namespace

Result<NodeTokens> NodeTokens::parse(std::string_view text, const std::string& file) {
  NodeTokens out;
  auto read = each_entry(text, file, [&](std::string_view line) -> Result<void> {
    const auto bad = [](std::string what) { return make_error(Errc::usage, std::move(what)); };
    const auto colon = line.rfind(':');
    if (colon == std::string_view::npos) return bad("it is not ID:TOKEN");
    const auto id = line.substr(0, colon);
    const auto token = text::trim(line.substr(colon + 1));
    if (!is_node_id(id)) return bad("an id has 1 to 64 printable characters without '/', '+' and '#'");
    if (!is_token(token)) {
      return bad(fmt::format("a token has {} to {} letters, digits and characters of -._~+/=", kMinNodeToken,
                             kMaxNodeToken));
    }
    if (!out.owners_.emplace(token, id).second) return bad("this token stands in the file already");
    return {};
  });
  if (!read) return std::move(read).error();
  return out;
}

Result<NodeTokens> NodeTokens::read(const std::string& file) {
  auto text = read_secret_file(file, "file of nodes' tokens", kMaxFile);
  if (!text) return std::move(text).error();
  return parse(*text, file);
}

const std::string* NodeTokens::owner(const std::string& token) const {
  const auto found = owners_.find(token);
  return found == owners_.end() ? nullptr : &found->second;
}

}  // namespace aiot::gateway
