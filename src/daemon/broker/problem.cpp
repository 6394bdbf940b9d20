#include "daemon/broker/problem.h"

#include <fmt/format.h>

#include "daemon/wire/json_writer.h"

namespace aiot::broker {
namespace {

std::string_view title_of(int status) {
  switch (status) {
    case 400: return "Bad request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not found";
    case 405: return "Method not allowed";
    case 409: return "Node not live";
    case 413: return "Too large";
    case 415: return "Unsupported media type";
    case 422: return "Idempotency key was used for another request";
    case 502: return "The node refused";
    case 503: return "Busy";
    case 504: return "No confirmation in time";
    default: return "Error";
  }
}

int status_of(const Error& error) {
  if (error.outcome == Outcome::unknown) return 504;
  switch (error.code) {
    case Errc::usage: return 400;
    case Errc::unreachable: return 409;
    case Errc::timeout: return 504;
    case Errc::rejected: return error.outcome == Outcome::not_sent ? 404 : 502;
    case Errc::internal:
    case Errc::abandoned: return 503;
    default: return 502;
  }
}

}  // namespace

ws::HttpResponse json_response(std::string body, int status) {
  ws::HttpResponse response;
  response.status = status;
  response.content_type = "application/json";
  response.body = std::move(body);
  response.headers = {{"cache-control", "no-store"}};
  return response;
}

ws::HttpResponse problem(int status, const Error& error) {
  std::string body;
  wire::JsonWriter json(body);
  json.open_object();
  json.string("type", fmt::format("urn:aiot:error:{}", to_string(error.code)));
  json.string("title", title_of(status));
  json.number("status", status);
  json.string("detail", error.message);
  if (error.native >= 200 && error.native < 600) {
    json.string("code", fmt::format("{}.{:02}", error.native / 100, error.native % 100));
  }
  if (error.outcome != Outcome::none) json.string("outcome", to_string(error.outcome));
  json.close_object();
  ws::HttpResponse response = json_response(std::move(body), status);
  response.content_type = "application/problem+json";
  return response;
}

ws::HttpResponse problem(int status, Errc code, std::string detail) {
  return problem(status, make_error(code, std::move(detail)));
}

ws::HttpResponse unauthorized(std::string detail) {
  auto response = problem(401, Errc::unauthorized, std::move(detail));
  response.headers.emplace_back("www-authenticate", "Bearer realm=\"aiot\"");
  return response;
}

ws::HttpResponse plain(int status, std::string_view body) {
  ws::HttpResponse response;
  response.status = status;
  response.body = body;
  response.headers.emplace_back("cache-control", "no-store");
  return response;
}

ws::HttpResponse node_problem(const Error& error) { return problem(status_of(error), error); }

}  // namespace aiot::broker
