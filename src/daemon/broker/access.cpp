#include "daemon/broker/access.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/ws/bearer.h"
#include "daemon/access/token.h"
#include "daemon/broker/keys.h"
#include "daemon/wire/gateway_v1.h"

namespace aiot::broker {
namespace {

/// A text that changes whenever the file does.
std::string mark_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return fmt::format("{}:{}:{}.{}", status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

std::string_view cookie_of(const ws::Headers& headers, std::string_view name) {
  for (const auto& [field, value] : headers) {
    if (field != "cookie") continue;
    for (const std::string_view item : text::split(value, ';')) {
      const auto pair = text::trim(item);
      if (pair.size() > name.size() && pair.substr(0, name.size()) == name && pair[name.size()] == '=') {
        return pair.substr(name.size() + 1);
      }
    }
  }
  return {};
}

/// Whom `known`, null for a token that nobody has, lets in.
Result<Principal> principal_of(const access::Token* known, WallTime now) {
  if (known == nullptr) {
    return make_error(Errc::unauthorized,
                      "this broker does not know the token: it was revoked, or is another's");
  }
  const access::Token& token = *known;
  if (token.expires && *token.expires <= now) {
    return make_error(Errc::unauthorized, fmt::format("the token expired at {}", format_utc(*token.expires)));
  }
  Principal out;
  out.kind = token.gateway.empty() ? Principal::Kind::token : Principal::Kind::gateway;
  out.role = token.role;
  out.name = !token.gateway.empty() ? token.gateway : !token.name.empty() ? token.name : token.id;
  out.id = "token " + token.id;
  out.proof = token.hash;
  out.scope = token.scope;
  out.expires = token.expires;
  return out;
}

}  // namespace

std::string_view login_cookie(bool secure) { return secure ? "__Host-aiot_login" : "aiot_login"; }

Access::Access(AccessOptions options, std::string key_file, SocketAddress listen)
    : options_(std::move(options)),
      key_file_(std::move(key_file)),
      listen_(listen),
      exposed_(!listen.is_loopback() || options_.proxied ||
               (options_.legacy_listen && !options_.legacy_listen->is_loopback())) {}

Result<void> Access::open() {
  auto contents = options_.file.empty() ? Result<access::Contents>(access::Contents())
                                        : access::read_access_file(options_.file);
  if (!contents) return contents.error();
  take(std::move(*contents));
  const bool fine = !exposed_ || options_.insecure || options_.setup_link || options_.anonymous || guarded_;
  if (!fine) {
    return make_error(
        Errc::usage,
        fmt::format(
            "{} can be reached from other machines, and without users everyone there could read and write "
            "everything: make one with aiot users add NAME --role admin (in {}), say with --anonymous what "
            "those may who do not log in, or accept it with --insecure",
            (listen_.is_loopback() && !options_.proxied ? *options_.legacy_listen : listen_).text(),
            options_.file.empty() ? "--users-file" : text::escape_controls(options_.file)));
  }
  auto keys = open_keys(key_file_, listen_);
  if (!keys) return keys.error();
  keys_ = std::move(*keys);
  key_mark_ = mark_of(key_file_);
  return {};
}

void Access::take(access::Contents contents) {
  contents_ = std::move(contents);
  guarded_ = guarded_ || contents_.has_clients();
  file_mark_ = mark_of(options_.file);
  tokens_.clear();
  for (std::size_t i = 0; i < contents_.tokens.size(); ++i) tokens_[contents_.tokens[i].hash] = i;
}

void Access::look_again() {
  if (options_.file.empty()) return;
  const auto mark = mark_of(options_.file);
  if (mark == file_mark_) return;
  file_mark_ = mark;
  if (auto contents = access::read_access_file(options_.file); contents) {
    take(std::move(*contents));
    read_since_ = true;
    log::info("read the users and tokens in {} again", options_.file);
  } else {
    log::error("users and tokens stay as they were: {}", contents.error().message);
  }
}

bool Access::refresh(bool all, TimePoint now) {
  bool changed = false;
  if (const auto mark = mark_of(key_file_); all || mark != key_mark_) {
    key_mark_ = mark;
    if (auto keys = wire::read_key_file(key_file_); keys) {
      changed = !(*keys == keys_);
      keys_ = std::move(*keys);
      log::info("read the keys in {} again", key_file_);
    } else {
      log::error("the keys stay as they were: {}", keys.error().message);
    }
  }
  if (all) file_mark_ = "read it";  // no file has this mark
  look_again();
  if (std::exchange(read_since_, false)) changed = true;
  logins_.sweep(now, [this](const Logins::Login& login) { return login.proof == proof_of_user(login.user); });
  return changed;
}

bool Access::is_open() const { return !options_.anonymous && !guarded_ && (!exposed_ || options_.insecure); }

Role Access::anonymous() const { return is_open() ? Role::admin : options_.anonymous.value_or(Role::none); }

std::string Access::proof_of_user(std::string_view name) const {
  const access::User* user = contents_.user(name);
  return user == nullptr ? std::string() : fmt::format("{} {}", to_string(user->role), user->password);
}

const access::Token* Access::find_token(std::string_view secret) {
  const std::string digest = access::digest(secret);
  auto found = tokens_.find(digest);
  if (found == tokens_.end()) {
    look_again();
    found = tokens_.find(digest);
  }
  return found == tokens_.end() ? nullptr : &contents_.tokens[found->second];
}

void Access::warn_of_proxy(const ws::Headers& headers) {
  const bool forwarded = std::any_of(headers.begin(), headers.end(), [](const auto& header) {
    return header.first == "x-forwarded-for" || header.first == "forwarded";
  });
  if (!forwarded || std::exchange(warned_of_proxy_, true)) return;
  log::warn(
      "a proxy passes requests on to this broker, where everyone may do everything: make a user with aiot "
      "users add NAME --role admin");
}

Result<Principal> Access::identify(const ws::Headers& headers, bool secure, TimePoint mono, WallTime now) {
  Principal out;
  out.role = anonymous();
  if (is_open()) {
    warn_of_proxy(headers);
    return out;
  }
  if (const auto secret = ws::bearer_of(headers); !secret.empty())
    return principal_of(find_token(secret), now);
  const auto cookie = cookie_of(headers, login_cookie(secure));
  if (cookie.empty()) return out;
  const std::string id = logins_.use(cookie, mono);
  const Logins::Login* login = logins_.find(id);
  const access::User* user = login == nullptr ? nullptr : contents_.user(login->user);
  // A cookie that is over is like none: the browser goes to the login page.
  if (user == nullptr || login->proof != proof_of_user(login->user)) return out;
  out.kind = Principal::Kind::user;
  out.role = user->role;
  out.name = user->name;
  out.id = id;
  return out;
}

Result<GatewayAdmission> Access::admit(const ws::UpgradeRequest& request, WallTime now) {
  auto admission = admit_gateway(request, {keys_, options_.shared_token, &contents_, now});
  if (admission || !offers(request, wire::kGatewayV1)) return admission;
  // Not made with the keys: perhaps one of the users file.
  const access::Token* known = find_token(ws::bearer_of(request.headers));
  if (known == nullptr) return admission;
  auto token = principal_of(known, now);
  if (!token) return token.error();
  if (token->kind != Principal::Kind::gateway) {
    return make_error(Errc::unauthorized,
                      "the token is bound to no gateway; aiot tokens create --gateway NAME makes "
                      "one that is");
  }
  return GatewayAdmission{true, std::move(*token), std::string(wire::kGatewayV1)};
}

bool Access::is_current(std::string_view proof) const {
  return proof == fingerprint(keys_.secret, keys_.private_key);
}

bool Access::is_previous(std::string_view proof) const {
  return keys_.has_previous() && proof == fingerprint(keys_.previous_secret, keys_.previous_private_key);
}

std::string Access::credential(const std::string& id, std::string_view proof) const {
  if (id != kCurrentKeys && id != kPreviousKeys) return id;
  return std::string(is_current(proof) ? kCurrentKeys : is_previous(proof) ? kPreviousKeys : "retired keys");
}

bool Access::gateway_holds(const Principal& principal, WallTime) const {
  if (!is_current(principal.proof) && !is_previous(principal.proof)) return false;
  return principal.name.empty()
             ? options_.shared_token
             : !is_revoked(contents_, principal.name, principal.issued.value_or(WallTime()));
}

bool Access::holds(const Principal& principal, WallTime now) const {
  if (principal.expires && *principal.expires <= now) return false;
  const auto has_token = [&] {
    const auto found = tokens_.find(principal.proof);
    if (found == tokens_.end()) return false;
    const access::Token& token = contents_.tokens[found->second];
    return token.role == principal.role && token.scope == principal.scope &&
           token.expires == principal.expires;
  };
  switch (principal.kind) {
    case Principal::Kind::anonymous: return principal.role == anonymous();
    case Principal::Kind::user: return logins_.find(principal.id) != nullptr;
    case Principal::Kind::token: return has_token();
    case Principal::Kind::gateway: return gateway_holds(principal, now) || has_token();
  }
  return false;
}

}  // namespace aiot::broker
