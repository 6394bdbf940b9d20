#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/function.h"
#include "core/base/uri.h"
#include "core/ws/ws_client.h"

namespace aiot {
class EventLoop;
}

namespace aiot::cli {

class Context;

/// "/api/v1/PATH?NAME=VALUE...", values percent-encoded, empty ones left out.
[[nodiscard]] std::string api_path(
    std::string_view path, const std::vector<std::pair<std::string_view, std::string_view>>& query = {});
/// The string member `key` of `object`; empty when it is not there or no string.
[[nodiscard]] std::string member(const nlohmann::ordered_json& object, std::string_view key);

/// A broker's REST interface (docs/openapi.yaml), for the commands that ask it.
class BrokerApi {
 public:
  /// Of --broker, AIOT_BROKER or the configuration, else at 127.0.0.1:8000. Errors as
  /// Context::broker_url() and broker_token() have them.
  static Result<BrokerApi> of(Context& context);
  /// Of the broker that an aiot or aiots URI names; `prefix` is the broker's own path.
  static Result<BrokerApi> of(Context& context, const Uri& uri, const std::string& prefix);

  /// "aiot://HOST:PORT"
  [[nodiscard]] const std::string& base_uri() const { return base_uri_; }
  [[nodiscard]] const ws::Endpoint& endpoint() const { return endpoint_; }
  /// What "/UID" at this broker is called.
  [[nodiscard]] std::string uri_of(std::string_view uid) const;

  /// One exchange; a JSON object comes back (null for an answer without content). An answer other than 2xx is
  /// the error it stands for, Errc::peer_failed one that is no JSON object.
  /// Cancelled it calls nothing.
  using Done = UniqueFunction<void(Result<nlohmann::ordered_json>)>;
  [[nodiscard]] Operation ask(std::string method, std::string path, std::string body, Done done) const;
  [[nodiscard]] Operation get(std::string path, Done done) const;

 private:
  static Result<BrokerApi> at(Context& context, ws::Endpoint endpoint);
  BrokerApi(EventLoop& loop, ws::Endpoint endpoint, const std::string& token, Duration timeout);

  EventLoop* loop_;
  ws::Endpoint endpoint_;
  ws::Headers headers_;
  Duration timeout_;
  std::string base_uri_;
};

}  // namespace aiot::cli
