#include "cli/broker_api.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/settings.h"
#include "cli/targets.h"
#include "core/base/text.h"
#include "core/relay/rest.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

constexpr const char* kDefaultBroker = "ws://127.0.0.1:8000";

std::string query_value(std::string_view text) {
  std::string out;
  for (const char c : percent_encode(text)) {
    if (c == '&')
      out += "%26";
    else if (c == '+')
      out += "%2B";
    else if (c == '=')
      out += "%3D";
    else
      out += c;
  }
  return out;
}

Result<ordered_json> object_of(const ws::HttpClientResponse& response) {
  if (response.status < 200 || response.status > 299) {
    return relay::problem_of(response.status, response.body, false);
  }
  if (response.body.empty()) return ordered_json();
  ordered_json parsed = ordered_json::parse(response.body, nullptr, false);
  if (!parsed.is_object()) return make_error(Errc::peer_failed, "the broker's answer is not a JSON object");
  return parsed;
}

}  // namespace

std::string api_path(std::string_view path,
                     const std::vector<std::pair<std::string_view, std::string_view>>& query) {
  std::string out = "/api/v1/";
  out += path;
  char separator = '?';
  for (const auto& [name, value] : query) {
    if (value.empty()) continue;
    out += std::exchange(separator, '&');
    out += name;
    out += '=';
    out += query_value(value);
  }
  return out;
}

std::string member(const ordered_json& object, std::string_view key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

BrokerApi::BrokerApi(EventLoop& loop, ws::Endpoint endpoint, const std::string& token, Duration timeout)
    : loop_(&loop), endpoint_(std::move(endpoint)), timeout_(timeout), base_uri_(broker_base(endpoint_)) {
  headers_.emplace_back("accept", "application/json, application/problem+json");
  if (!token.empty()) headers_.emplace_back("authorization", "Bearer " + token);
}

Result<BrokerApi> BrokerApi::of(Context& context) {
  auto url = context.broker_url();
  if (!url) return url.error();
  auto endpoint = ws::parse_endpoint(url->empty() ? kDefaultBroker : *url);
  if (!endpoint) return endpoint.error();
  return at(context, std::move(*endpoint));
}

Result<BrokerApi> BrokerApi::of(Context& context, const Uri& uri, const std::string& prefix) {
  return at(context, relay::endpoint_of(uri, prefix));
}

Result<BrokerApi> BrokerApi::at(Context& context, ws::Endpoint endpoint) {
  auto token = context.broker_token();
  if (!token) return token.error();
  endpoint.files = context.broker_tls();
  return BrokerApi(context.loop(), std::move(endpoint), *token, context.settings().timeout);
}

std::string BrokerApi::uri_of(std::string_view uid) const { return base_uri_ + "/" + percent_encode(uid); }

Operation BrokerApi::ask(std::string method, std::string path, std::string body, Done done) const {
  ws::HttpClientRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.headers = headers_;
  if (!body.empty()) request.headers.emplace_back("content-type", "application/json");
  request.body = std::move(body);
  request.timeout = timeout_;
  return ws::http_request(*loop_, endpoint_, std::move(request),
                          [done = std::move(done)](Result<ws::HttpClientResponse> result) mutable {
                            done(result ? object_of(*result) : Result<ordered_json>(result.error()));
                          });
}

Operation BrokerApi::get(std::string path, Done done) const {
  return ask("GET", std::move(path), {}, std::move(done));
}

}  // namespace aiot::cli
