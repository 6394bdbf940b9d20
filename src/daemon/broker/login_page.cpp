#include "daemon/broker/login_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/base/uri.h"
#include "daemon/access/password.h"
#include "daemon/access/token.h"

namespace aiot::broker {
namespace {

constexpr std::string_view kStyle =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:22rem;margin:12vh auto;padding:0 1rem;color:#1d2733;"
    "background:#f6f8fa}h1{font-size:1.4rem}label{display:block;margin-top:1rem}input{box-sizing:border-box;"
    "width:100%;"
    "font:inherit;padding:.5rem;border:1px solid "
    "#8595a8;border-radius:4px}button{font:inherit;margin-top:1.25rem;"
    "padding:.5rem 1rem;border:0;border-radius:4px;background:#0b5cad;color:#fff}.wrong{color:#a3142a}"
    "@media(prefers-color-scheme:dark){body{color:#e3e8ee;background:#161b22}input{color:inherit;background:#"
    "0d1117}"
    ".wrong{color:#ff9aa8}}";

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

/// The style's hash lets it in where nothing else is.
const std::string& policy() {
  static const std::string text = fmt::format(
      "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; base-uri 'none'; frame-ancestors "
      "'none'",
      text::base64(access::digest_bytes(kStyle)));
  return text;
}

ws::HttpResponse page(int status, std::string_view body) {
  ws::HttpResponse response;
  response.status = status;
  response.content_type = "text/html; charset=utf-8";
  response.body = fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>aiot</title><style>{}</style></head><body><main><h1>aiot</"
      "h1>{}</main>"
      "</body></html>\n",
      kStyle, body);
  response.headers = {{"cache-control", "no-store"},
                      {"content-security-policy", policy()},
                      {"referrer-policy", "same-origin"}};
  return response;
}

std::string wrong(std::string_view why) {
  return why.empty() ? std::string() : fmt::format("<p class=\"wrong\" role=\"alert\">{}</p>", escape(why));
}

}  // namespace

ws::HttpResponse login_page(int status, std::string_view next, std::string_view why) {
  return page(
      status,
      fmt::format(
          "{}<form method=\"post\" action=\"/login\"><input type=\"hidden\" name=\"next\" value=\"{}\">"
          "<label>User<input name=\"user\" autocomplete=\"username\" autocapitalize=\"none\" required "
          "autofocus></label><label>Password<input name=\"password\" type=\"password\" "
          "autocomplete=\"current-password\" required></label><button>Log in</button></form>",
          wrong(why), escape(next)));
}

ws::HttpResponse account_page(const Principal& principal) {
  return page(
      200, fmt::format("<p>You are logged in as <b>{}</b> ({}).</p><p><a href=\"/\">Dashboard</a></p><form "
                       "method=\"post\" action=\"/logout\"><button>Log out</button></form>",
                       escape(principal.name), to_string(principal.role)));
}

ws::HttpResponse setup_page(int status, std::string_view code, std::string_view why) {
  return page(
      status,
      fmt::format("<p>This broker has no users yet. Make the first, an administrator; from then on everyone "
                  "must log in.</p>{}<form method=\"post\" action=\"/setup\"><input type=\"hidden\" "
                  "name=\"code\" value=\"{}\"><label>User<input name=\"user\" autocomplete=\"username\" "
                  "autocapitalize=\"none\" required autofocus></label><label>Password, at least {} "
                  "characters<input name=\"password\" type=\"password\" autocomplete=\"new-password\" "
                  "minlength=\"{}\" required></label><button>Make this user</button></form>",
                  wrong(why), escape(code), access::kMinPassword, access::kMinPassword));
}

ws::HttpResponse message_page(int status, std::string_view sentence) {
  return page(status, fmt::format("<p>{}</p><p><a href=\"/\">Dashboard</a></p>", escape(sentence)));
}

ws::HttpResponse see_other(std::string_view path) {
  ws::HttpResponse response;
  response.status = 303;
  response.headers = {{"location", std::string(path)}, {"cache-control", "no-store"}};
  return response;
}

std::string login_path(const ws::HttpRequest& request) {
  if (request.path == "/" && request.query.empty()) return "/login";
  std::string out = "/login?next=";
  for (const char c : request.path + (request.query.empty() ? "" : "?" + request.query)) {
    // As a value in a query, where & and + mean something else than in a path.
    out += c == '&' ? "%26" : c == '+' ? "%2B" : percent_encode({&c, 1});
  }
  return out;
}

std::string safe_path(std::string_view next) {
  const bool good =
      !next.empty() && next.size() <= 1024 && next[0] == '/' &&
      (next.size() == 1 || (next[1] != '/' && next[1] != '\\')) &&
      std::all_of(next.begin(), next.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '\\'; });
  return good ? std::string(next) : "/";
}

}  // namespace aiot::broker
