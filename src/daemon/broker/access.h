#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/model/principal.h"
#include "core/ws/http_server.h"
#include "daemon/access/access_file.h"
#include "daemon/broker/access_options.h"
#include "daemon/broker/admission.h"
#include "daemon/broker/logins.h"
#include "daemon/wire/key_file.h"

namespace aiot::broker {

/// Who is who at this broker, by its key file, its users file and the logins of its users.
///
/// While there is neither a user nor a token for clients, a broker on loopback (or one that is told to be
/// insecure) is open: everyone may do everything. Elsewhere, and from the first user or token on, those that
/// do not say who they are may do what AccessOptions::anonymous says, by default nothing. That the last user
/// is removed opens nothing before the next start.
class Access {
 public:
  /// `listen`: where clients reach the broker, beside AccessOptions::legacy_listen.
  Access(AccessOptions options, std::string key_file, SocketAddress listen);

  /// Reads both files. Errc::usage when others could reach a broker that does not tell anyone apart.
  [[nodiscard]] Result<void> open();
  /// Reads again what changed since, or all of it; what cannot be read is logged and stays as it was. True
  /// when keys, users or tokens were read. Logins that are over end.
  bool refresh(bool all, TimePoint now);
  /// Reads the users file when it changed since, so that whom it has by now is let in at once: before
  /// somebody is refused who may have been added a moment ago. What else follows from it is the next
  /// refresh()'s.
  void look_again();

  /// Who sends these headers. Errc::unauthorized for a token that is not, or no longer, good.
  [[nodiscard]] Result<Principal> identify(const ws::Headers& headers, bool secure, TimePoint mono,
                                           WallTime now);
  /// Errc::unauthorized says what is missing or wrong.
  [[nodiscard]] Result<GatewayAdmission> admit(const ws::UpgradeRequest& request, WallTime now);
  /// It may go on: its user, token or key is there as it was.
  [[nodiscard]] bool holds(const Principal& principal, WallTime now) const;
  /// What a gateway that came with this id and proof of its Principal would be told to have come with now:
  /// keys are rotated and retired meanwhile. "current keys", "previous keys", "retired keys", "token ID".
  [[nodiscard]] std::string credential(const std::string& id, std::string_view proof) const;

  /// Everyone may do everything.
  [[nodiscard]] bool is_open() const;
  [[nodiscard]] Role anonymous() const;
  /// Other machines can reach this broker.
  [[nodiscard]] bool is_exposed() const { return exposed_; }
  [[nodiscard]] const access::Contents& contents() const { return contents_; }
  [[nodiscard]] const AccessOptions& options() const { return options_; }
  [[nodiscard]] Logins& logins() { return logins_; }
  [[nodiscard]] const Logins& logins() const { return logins_; }
  /// What logins of the user have as their proof; empty for nobody.
  [[nodiscard]] std::string proof_of_user(std::string_view name) const;

 private:
  void take(access::Contents contents);
  /// Null when nobody has this token.
  const access::Token* find_token(std::string_view secret);
  void warn_of_proxy(const ws::Headers& headers);
  [[nodiscard]] bool is_current(std::string_view proof) const;
  [[nodiscard]] bool is_previous(std::string_view proof) const;
  [[nodiscard]] bool gateway_holds(const Principal& principal, WallTime now) const;

  AccessOptions options_;
  std::string key_file_;
  SocketAddress listen_;
  bool exposed_;          ///< other machines can reach it
  bool guarded_ = false;  ///< there is, or was since the start, a user or token
  wire::Keys keys_;
  access::Contents contents_;
  std::unordered_map<std::string, std::size_t> tokens_;  ///< by digest: where in contents_
  Logins logins_;
  bool warned_of_proxy_ = false;
  std::string key_mark_, file_mark_;  ///< change with the files
  bool read_since_ = false;           ///< the users file, since the last refresh()
};

/// The cookie of a login: its name depends on TLS, so that a page of the same host without it cannot set one.
[[nodiscard]] std::string_view login_cookie(bool secure);

}  // namespace aiot::broker
