#include "core/model/principal.h"

#include <algorithm>
#include <array>

#include "core/base/text.h"

namespace aiot {
namespace {

constexpr std::array<std::string_view, 4> kRoles = {"none", "viewer", "operator", "admin"};

}  // namespace

std::string_view to_string(Role role) { return kRoles[static_cast<std::size_t>(role)]; }

std::optional<Role> parse_role(std::string_view text) {
  const auto found = std::find(kRoles.begin(), kRoles.end(), text);
  if (found == kRoles.end()) return std::nullopt;
  return static_cast<Role>(found - kRoles.begin());
}

std::string Principal::label() const {
  switch (kind) {
    case Kind::user: return "user " + name;
    case Kind::token: return "token " + name;
    case Kind::gateway: return "gateway " + name;
    case Kind::anonymous: break;
  }
  return name;
}

bool Scope::covers_node(std::string_view uid) const {
  return nodes.empty() || std::any_of(nodes.begin(), nodes.end(), [&](const std::string& pattern) {
           return text::glob_match(pattern, uid);
         });
}

bool Scope::covers_resource(std::string_view name) const {
  return resources.empty() ||
         std::any_of(resources.begin(), resources.end(),
                     [&](const std::string& pattern) { return text::path_match(pattern, name); });
}

}  // namespace aiot
