#include "daemon/broker/login_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "core/base/text.h"
#include "core/base/uri.h"
#include "core/ws/address_counts.h"
#include "daemon/access/password.h"
#include "daemon/access/token.h"
#include "daemon/broker/login_page.h"
#include "daemon/wire/json_writer.h"

namespace aiot::broker {
namespace {

/// Passwords that wait to be looked at, one after the other: each takes 19 MiB and a processor for a while,
/// which a flood of them must not take from everybody else.
constexpr std::size_t kMaxWaiting = 16;
constexpr std::size_t kMaxForm = 4096;
constexpr AttemptLimits::Rate kPerAddress{10, std::chrono::seconds(6)};
constexpr AttemptLimits::Rate kPerUser{50, std::chrono::seconds(5)};
constexpr std::string_view kFormType = "application/x-www-form-urlencoded";

/// The fields of a form; nothing when it is none.
std::optional<std::map<std::string, std::string>> parse_form(const ws::HttpRequest& request) {
  const auto type = request.header("content-type");
  if (text::lower(text::trim(type.substr(0, type.find(';')))) != kFormType || request.body.size() > kMaxForm)
    return std::nullopt;
  std::map<std::string, std::string> out;
  for (const std::string_view item : text::split(request.body, '&')) {
    std::string spaced(item);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    const auto equals = spaced.find('=');
    auto name = percent_decode(spaced.substr(0, equals));
    auto value = percent_decode(equals == std::string::npos ? std::string() : spaced.substr(equals + 1));
    if (!name || !value) return std::nullopt;
    out[std::move(*name)] = std::move(*value);
  }
  return out;
}

std::string parameter(const ws::HttpRequest& request, std::string_view name) {
  for (const std::string_view item : text::split(request.query, '&')) {
    const auto equals = item.find('=');
    if (equals == std::string_view::npos || item.substr(0, equals) != name) continue;
    auto value = percent_decode(item.substr(equals + 1));
    return value ? std::move(*value) : std::string();
  }
  return {};
}

std::string cookie(bool secure, std::string_view secret, std::string_view more) {
  return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict{}{}", login_cookie(secure), secret,
                     secure ? "; Secure" : "", more);
}

}  // namespace

/// A password on its way through a worker.
struct LoginRoutes::Attempt {
  ws::HttpRequest request;
  ws::HttpResponder responder;
  std::string user, password, next;
  std::string kept;  ///< what the password is checked against
  std::string file;  ///< for a new user: where it is kept
  WallTime now{};
  bool good = false;
  Result<void> made;
};

LoginRoutes::LoginRoutes(EventLoop& loop, Access& access, EventSink& events)
    : loop_(loop), access_(access), events_(events), by_address_(kPerAddress), by_user_(kPerUser) {}

LoginRoutes::~LoginRoutes() = default;

bool LoginRoutes::takes(std::string_view path) {
  return path == "/login" || path == "/logout" || path == "/setup";
}

void LoginRoutes::handle(const ws::HttpRequest& request, ws::HttpResponder responder,
                         const Principal& principal) {
  const bool get = request.method == "GET";
  if (!get && request.method != "POST") {
    auto response = message_page(405, "Only GET and POST are possible here.");
    response.headers.emplace_back("allow", request.path == "/logout" ? "POST" : "GET, HEAD, POST");
    return responder.reply(std::move(response));
  }
  if (request.path == "/setup") {
    if (!get) return set_up(request, std::move(responder));
    const std::string code = parameter(request, "code");
    return responder.reply(may_set_up(code) ? setup_page(200, code)
                                            : message_page(404, "This link is not, or no longer, good."));
  }
  if (request.path == "/logout") {
    if (get) return responder.reply(see_other("/login"));
    return log_out(request, std::move(responder), principal);
  }
  if (!get) return log_in(request, std::move(responder));
  if (principal.kind == Principal::Kind::user) return responder.reply(account_page(principal));
  responder.reply(login_page(200, safe_path(parameter(request, "next"))));
}

void LoginRoutes::tell(std::string_view type, std::string message, const ws::HttpRequest& request,
                       const std::string& user) {
  std::string data;
  wire::JsonWriter json(data);
  json.open_object();
  if (!user.empty()) json.string("user", user);
  json.string("address", request.peer.host());
  json.close_object();
  events_.event({type, {}, {}, std::move(message), {}, std::move(data)});
}

void LoginRoutes::log_in(const ws::HttpRequest& request, ws::HttpResponder responder) {
  auto form = parse_form(request);
  if (!form) return responder.reply(login_page(400, "/", "That was no form of this page."));
  std::string next = safe_path((*form)["next"]);
  const std::string address = ws::subscriber_of(request.peer).host();
  access_.look_again();
  const access::User* user = access_.contents().user((*form)["user"]);
  auto wait = by_address_.take(address, loop_.now());
  // Attempts for names that nobody has are not counted by name: they would fill the table.
  if (wait == Duration::zero() && user != nullptr) wait = by_user_.take(user->name, loop_.now());
  if (wait > Duration::zero()) {
    ++counters_.limited;
    if (limited_.allow()) log::warn("too many logins are tried from {}", request.peer.host());
    auto response = login_page(429, next, "Too many attempts. Wait a little.");
    response.headers.emplace_back("retry-after", std::to_string(wait / std::chrono::seconds(1) + 1));
    return responder.reply(std::move(response));
  }
  auto attempt = std::unique_ptr<Attempt>(new Attempt{request,
                                                      std::move(responder),
                                                      {},
                                                      (*form)["password"],
                                                      std::move(next),
                                                      {},
                                                      {},
                                                      loop_.wall_now(),
                                                      false,
                                                      {}});
  if (user != nullptr) {
    attempt->user = user->name;
    attempt->kept = user->password;
  }
  start(std::move(attempt));
}

void LoginRoutes::set_up(const ws::HttpRequest& request, ws::HttpResponder responder) {
  auto form = parse_form(request);
  const std::string code = form ? (*form)["code"] : std::string();
  if (!may_set_up(code)) return responder.reply(message_page(404, "This link is not, or no longer, good."));
  const std::string name = (*form)["user"];
  auto good = access::check_name("user", name);
  const auto size = (*form)["password"].size();
  if (good && (size < access::kMinPassword || size > access::kMaxPassword)) {
    good = make_error(Errc::usage, fmt::format("a password has {} to {} bytes", access::kMinPassword,
                                               access::kMaxPassword));
  }
  if (!good) return responder.reply(setup_page(400, code, good.error().message + "."));
  start(std::unique_ptr<Attempt>(new Attempt{request,
                                             std::move(responder),
                                             name,
                                             (*form)["password"],
                                             "/",
                                             {},
                                             access_.options().file,
                                             loop_.wall_now(),
                                             false,
                                             {}}));
}

void LoginRoutes::start(std::unique_ptr<Attempt> attempt) {
  if (waiting_.size() >= kMaxWaiting) {
    ++counters_.limited;
    return attempt->responder.reply(login_page(503, attempt->next, "The broker is busy. Try again."));
  }
  waiting_.push_back(std::move(attempt));
  if (!under_way_) look_at_next();
}

void LoginRoutes::look_at_next() {
  under_way_.reset();
  if (waiting_.empty()) return;
  const std::shared_ptr<Attempt> shared = std::move(waiting_.front());
  waiting_.pop_front();
  under_way_ = loop_.work(
      [shared] {
        if (shared->file.empty()) {
          shared->good = access::check_password(shared->kept, shared->password);
          return;
        }
        auto kept = access::hash_password(shared->password);
        if (!kept) {
          shared->made = kept.error();
          return;
        }
        shared->made =
            access::change_access_file(shared->file, [&](access::Contents& contents) -> Result<void> {
              if (contents.has_clients()) return make_error(Errc::usage, "there is a user already");
              contents.users.push_back({shared->user, Role::admin, *kept, shared->now});
              return {};
            });
      },
      [this, shared] {
        const Operation ended = std::move(*under_way_);
        look_at_next();
        shared->password.clear();
        shared->file.empty() ? checked(*shared) : made(*shared);
      });
}

void LoginRoutes::checked(Attempt& attempt) {
  // The user may have been removed or given another password meanwhile.
  const access::User* user = access_.contents().user(attempt.user);
  const bool good = attempt.good && user != nullptr && user->password == attempt.kept;
  if (!good) {
    ++counters_.failed;
    // A name that nobody has may be a password in the wrong field: it is not written down.
    tell("login_failed",
         attempt.user.empty() ? "a login failed: no such user"
                              : fmt::format("a login of {} failed: wrong password", attempt.user),
         attempt.request, attempt.user);
    return attempt.responder.reply(login_page(401, attempt.next, "The user or the password is wrong."));
  }
  by_address_.forgive(ws::subscriber_of(attempt.request.peer).host());
  by_user_.forgive(attempt.user);
  tell("login", fmt::format("{} logged in", attempt.user), attempt.request, attempt.user);
  attempt.responder.reply(welcome(attempt.user, attempt.next, attempt.request.secure));
}

ws::HttpResponse LoginRoutes::welcome(const std::string& user, std::string_view next, bool secure) {
  ++counters_.succeeded;
  const std::string secret = access_.logins().begin(user, access_.proof_of_user(user), loop_.now());
  auto response = see_other(next);
  response.headers.emplace_back("set-cookie", cookie(secure, secret, {}));
  return response;
}

void LoginRoutes::log_out(const ws::HttpRequest& request, ws::HttpResponder responder,
                          const Principal& principal) {
  if (principal.kind == Principal::Kind::user) {
    access_.logins().end(principal.id);
    tell("logout", fmt::format("{} logged out", principal.name), request, principal.name);
    if (changed_) changed_();
  }
  auto response = see_other("/login");
  response.headers.emplace_back("set-cookie", cookie(request.secure, {}, "; Max-Age=0"));
  response.headers.emplace_back("clear-site-data", "\"cache\"");
  responder.reply(std::move(response));
}

std::string LoginRoutes::make_setup_path() {
  if (access_.options().file.empty() || access_.contents().has_clients()) return {};
  setup_code_ = access::make_secret();
  return "/setup?code=" + setup_code_;
}

bool LoginRoutes::may_set_up(std::string_view code) const {
  return !setup_code_.empty() && access::same_secret(code, setup_code_) && !access_.contents().has_clients();
}

void LoginRoutes::made(Attempt& attempt) {
  // Of two that opened the link at a time, the second.
  if (!attempt.made && access_.contents().has_clients())
    return attempt.responder.reply(message_page(404, "This link is not, or no longer, good."));
  if (!attempt.made) {
    log::error("the first user could not be made: {}", attempt.made.error().message);
    return attempt.responder.reply(
        message_page(500, "The user could not be made; the broker's log says why."));
  }
  setup_code_.clear();
  access_.refresh(false, loop_.now());
  tell("user_added", fmt::format("{} was made the first administrator", attempt.user), attempt.request,
       attempt.user);
  attempt.responder.reply(welcome(attempt.user, "/", attempt.request.secure));
  if (changed_) changed_();
}

}  // namespace aiot::broker
