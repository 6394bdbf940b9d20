#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"

namespace aiot {

/// What somebody may do; each role may what those before it may. SECURITY.md has the matrix.
enum class Role : std::uint8_t {
  none,
  viewer,     ///< reads what the broker knows
  operator_,  ///< writes to nodes, reads them live, labels them
  admin,      ///< forgets nodes, imports history, sees the audit log
};
/// "none", "viewer", "operator", "admin".
[[nodiscard]] std::string_view to_string(Role role);
[[nodiscard]] std::optional<Role> parse_role(std::string_view text);

/// Which nodes and resources somebody may know of. Pure.
struct Scope {
  std::vector<std::string> nodes;      ///< patterns of uids (text::glob_match); empty for all
  std::vector<std::string> resources;  ///< patterns of names (text::path_match); empty for all

  [[nodiscard]] bool whole() const { return nodes.empty() && resources.empty(); }
  [[nodiscard]] bool covers_node(std::string_view uid) const;
  [[nodiscard]] bool covers_resource(std::string_view name) const;
  friend bool operator==(const Scope&, const Scope&) = default;
};

/// Who a session or request is, and what it may do. Every decision point asks; nobody may anything by
/// default.
struct Principal {
  enum class Kind : std::uint8_t { anonymous, user, token, gateway };
  Kind kind = Kind::anonymous;
  Role role = Role::none;
  std::string name = "anonymous";  ///< user, token or gateway, for logs and events
  std::string id;                  ///< of the login or token; of a gateway, by what it proved itself
  std::string proof;               ///< what must still hold for it to go on (Access::holds)
  Scope scope;
  std::optional<WallTime> issued;   ///< when a gateway's key-made token was made
  std::optional<WallTime> expires;  ///< when a token ends

  /// "user alice", "token ci", "anonymous": who it is, in events.
  [[nodiscard]] std::string label() const;
  [[nodiscard]] bool may_read() const { return role >= Role::viewer; }
  [[nodiscard]] bool may_write() const { return role >= Role::operator_; }
  [[nodiscard]] bool may_administer() const { return role >= Role::admin; }
};

}  // namespace aiot
