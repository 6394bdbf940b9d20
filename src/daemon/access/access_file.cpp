#include "daemon/access/access_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "core/base/folders.h"
#include "core/base/secret_file.h"
#include "core/base/text.h"

namespace aiot::access {
namespace {

constexpr std::size_t kMaxFile = 16 * 1024 * 1024;

/// Many tokens are more than a secret's file may hold elsewhere.
Result<std::string> read_checked(const std::string& path) {
  if (auto good = check_secret_file(path); !good) return good.error();
  std::ifstream file(path, std::ios::binary);
  std::string content(kMaxFile + 1, '\0');
  if (!file.read(content.data(), static_cast<std::streamsize>(content.size())) && !file.eof()) {
    Error error = errno_error("cannot read the users file " + text::escape_controls(path), errno);
    error.code = Errc::internal;
    return error;
  }
  content.resize(static_cast<std::size_t>(file.gcount()));
  if (content.size() <= kMaxFile) return content;
  return make_error(Errc::usage, fmt::format("{} is too long for a users file", text::escape_controls(path)));
}

}  // namespace

const User* Contents::user(std::string_view name) const {
  const auto found =
      std::find_if(users.begin(), users.end(), [&](const User& at) { return at.name == name; });
  return found == users.end() ? nullptr : &*found;
}

bool Contents::has_clients() const {
  return !users.empty() ||
         std::any_of(tokens.begin(), tokens.end(), [](const Token& token) { return token.gateway.empty(); });
}

Result<void> check_name(std::string_view what, std::string_view name) {
  const bool good = !name.empty() && name.size() <= kMaxName && text::trim(name) == name &&
                    text::is_utf8(name) && text::escape_controls(name) == name;
  if (good) return {};
  return make_error(Errc::usage, fmt::format("a {}'s name has 1 to {} printable characters, not \"{}\"", what,
                                             kMaxName, text::escape_controls(name.substr(0, kMaxName))));
}

Result<Contents> read_access_file(const std::string& path) {
  auto text = read_checked(path);
  if (!text && text.error().native == ENOENT) return Contents();
  if (!text) return text.error();
  auto contents = parse_contents(*text);
  if (!contents) {
    return make_error(Errc::usage,
                      fmt::format("{}: {}", text::escape_controls(path), contents.error().message));
  }
  return contents;
}

Result<void> change_access_file(const std::string& path,
                                const UniqueFunction<Result<void>(Contents&)>& change) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (!folder.empty()) {
    if (auto made = make_private_folders(folder); !made) return made;
  }
  return with_folder_lock(path, [&]() -> Result<void> {
    auto contents = read_access_file(path);
    if (!contents) return contents.error();
    if (auto changed = change(*contents); !changed) return changed;
    return replace_private_file(path, format_contents(*contents));
  });
}

}  // namespace aiot::access
