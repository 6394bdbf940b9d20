#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "daemon/access/access_file.h"

/// The users file's text: one JSON object, which a person can read.
namespace aiot::access {
namespace {

using nlohmann::ordered_json;

constexpr int kVersion = 1;

/// Reads members of one object of the file and keeps the first thing that is wrong.
class Reader {
 public:
  Reader(const ordered_json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) fail("is no object");
  }

  std::string text(const char* name, bool required, std::size_t most) {
    const ordered_json* at = find(name);
    if (at == nullptr) {
      if (required) fail(fmt::format("has no \"{}\"", name));
      return {};
    }
    if (!at->is_string() || at->get_ref<const std::string&>().size() > most) {
      fail(fmt::format("\"{}\" is no text of at most {} bytes", name, most));
      return {};
    }
    return at->get<std::string>();
  }
  std::optional<WallTime> time(const char* name, bool required) {
    const std::string given = text(name, required, 64);
    if (given.empty()) return std::nullopt;
    auto parsed = parse_time(given);
    if (parsed) return *parsed;
    fail(fmt::format("\"{}\": {}", name, parsed.error().message));
    return std::nullopt;
  }
  Role role() {
    const auto parsed = parse_role(text("role", true, 16));
    if (!parsed || *parsed == Role::none) fail("\"role\" is none of viewer, operator and admin");
    return parsed.value_or(Role::none);
  }
  std::vector<std::string> patterns(const char* name) {
    std::vector<std::string> out;
    const ordered_json* at = find(name);
    if (at == nullptr) return out;
    const bool good = at->is_array() && at->size() <= kMaxPatterns &&
                      std::all_of(at->begin(), at->end(), [](const ordered_json& item) {
                        return item.is_string() && item.get_ref<const std::string&>().size() <= kMaxPattern;
                      });
    // What cannot be read must not end up as "all".
    if (!good || at->empty()) {
      fail(fmt::format("\"{}\" is no list of 1 to {} patterns", name, kMaxPatterns));
      return out;
    }
    for (const auto& item : *at) out.push_back(item.get<std::string>());
    return out;
  }
  void fail(std::string why) {
    if (!error_) error_ = make_error(Errc::usage, fmt::format("{} {}", where_, why));
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  const ordered_json* find(const char* name) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  const ordered_json& object_;
  std::string where_;
  std::optional<Error> error_;
};

std::optional<Error> read_user(const ordered_json& object, std::string where, Contents& out) {
  Reader reader(object, std::move(where));
  User user{reader.text("name", true, kMaxName), reader.role(), reader.text("password", true, 256),
            reader.time("created", true).value_or(WallTime())};
  if (auto good = check_name("user", user.name); !good) reader.fail(good.error().message);
  if (out.user(user.name) != nullptr) reader.fail("has the name of another");
  out.users.push_back(std::move(user));
  return reader.error();
}

std::optional<Error> read_token(const ordered_json& object, std::string where, Contents& out) {
  Reader reader(object, std::move(where));
  Token token;
  token.id = reader.text("id", true, 32);
  token.name = reader.text("name", false, kMaxName);
  token.gateway = reader.text("gateway", false, kMaxGatewayName);
  if (token.gateway.empty()) token.role = reader.role();
  token.hash = reader.text("sha256", true, 64);
  if (token.hash.size() != 64) reader.fail("\"sha256\" is not 64 hexadecimal digits");
  token.created = reader.time("created", true).value_or(WallTime());
  token.expires = reader.time("expires", false);
  token.scope = {reader.patterns("nodes"), reader.patterns("resources")};
  out.tokens.push_back(std::move(token));
  return reader.error();
}

std::optional<Error> read_revocation(const ordered_json& object, std::string where, Contents& out) {
  Reader reader(object, std::move(where));
  out.revoked.push_back(
      {reader.text("gateway", true, kMaxGatewayName), reader.time("until", true).value_or(WallTime())});
  return reader.error();
}

using ReadOne = std::optional<Error> (*)(const ordered_json&, std::string, Contents&);

std::optional<Error> read_list(const ordered_json& all, const char* name, std::size_t most, ReadOne read,
                               Contents& out) {
  const auto list = all.find(name);
  if (list == all.end()) return std::nullopt;
  if (!list->is_array() || list->size() > most) {
    return make_error(Errc::usage, fmt::format("\"{}\" is no list of at most {}", name, most));
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (auto error = read((*list)[i], fmt::format("{}[{}]", name, i), out)) return error;
  }
  return std::nullopt;
}

ordered_json json_of(const Token& token) {
  ordered_json out;
  out["id"] = token.id;
  if (!token.name.empty()) out["name"] = token.name;
  if (token.gateway.empty()) {
    out["role"] = std::string(to_string(token.role));
  } else {
    out["gateway"] = token.gateway;
  }
  out["sha256"] = token.hash;
  out["created"] = format_utc(token.created);
  if (token.expires) out["expires"] = format_utc(*token.expires);
  if (!token.scope.nodes.empty()) out["nodes"] = token.scope.nodes;
  if (!token.scope.resources.empty()) out["resources"] = token.scope.resources;
  return out;
}

}  // namespace

std::string format_contents(const Contents& contents) {
  ordered_json all;
  all["version"] = kVersion;
  ordered_json& users = all["users"] = ordered_json::array();
  for (const User& user : contents.users) {
    users.push_back({{"name", user.name},
                     {"role", std::string(to_string(user.role))},
                     {"password", user.password},
                     {"created", format_utc(user.created)}});
  }
  ordered_json& tokens = all["tokens"] = ordered_json::array();
  for (const Token& token : contents.tokens) tokens.push_back(json_of(token));
  ordered_json& revoked = all["revoked"] = ordered_json::array();
  for (const Revocation& at : contents.revoked) {
    revoked.push_back({{"gateway", at.gateway}, {"until", format_utc(at.until)}});
  }
  return all.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Result<Contents> parse_contents(std::string_view text) {
  const ordered_json all = ordered_json::parse(text, nullptr, false);
  if (!all.is_object()) return make_error(Errc::usage, "it is not a JSON object");
  const auto version = all.find("version");
  if (version == all.end() || *version != kVersion) {
    return make_error(Errc::usage, fmt::format("\"version\" is not {}", kVersion));
  }
  Contents out;
  if (auto error = read_list(all, "users", kMaxUsers, read_user, out)) return *std::move(error);
  if (auto error = read_list(all, "tokens", kMaxTokens, read_token, out)) return *std::move(error);
  if (auto error = read_list(all, "revoked", kMaxTokens, read_revocation, out)) return *std::move(error);
  return out;
}

}  // namespace aiot::access
