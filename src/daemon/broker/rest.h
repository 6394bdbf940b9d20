#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/loop/event_loop.h"
#include "core/model/principal.h"
#include "core/ws/http_server.h"
#include "daemon/broker/announcements.h"
#include "daemon/broker/asks.h"
#include "daemon/broker/idempotency.h"
#include "daemon/broker/node_table.h"
#include "daemon/broker/routing.h"
#include "daemon/broker/site.h"
#include "daemon/broker/store_records.h"

namespace aiot::broker {

/// What REST answers from.
struct RestServices {
  EventLoop& loop;
  NodeTable& table;
  Routing& routing;
  Asks& asks;
  Idempotency& idempotency;
  std::unique_ptr<store::Store>& store;  ///< there from the broker's start on
  StoreRecords& records;
  Counters& counters;
  Announcements& announcements;
  const Site& site;
  TimePoint since{};          ///< when the broker began
  std::weak_ptr<char> alive;  ///< expired once the broker, and with it all of the above, is gone
};

/// One request on its way through a route.
struct RestCall {
  ws::HttpRequest request;
  ws::HttpResponder responder;
  Principal principal;
  std::vector<std::string> path;                  ///< what stood at the route's `{}`, decoded
  std::multimap<std::string, std::string> query;  ///< decoded; equal names in their order

  /// Of a repeated name the last.
  [[nodiscard]] std::string_view parameter(const std::string& name) const;
  void reply(ws::HttpResponse response) { responder.reply(std::move(response)); }
};

inline constexpr std::string_view kApiPrefix = "/api/v1/";
inline constexpr std::size_t kDefaultPage = 100;
inline constexpr std::size_t kMaxPage = 1000;

/// The REST interface (docs/openapi.yaml) below kApiPrefix: finds the route and calls its handler.
class Rest {
 public:
  explicit Rest(RestServices services) : services_(std::move(services)) {}
  void handle(ws::HttpRequest request, ws::HttpResponder responder, Principal principal);

 private:
  RestServices services_;
};

/// A method and path, and what answers it. `{}` stands for one segment.
struct RestRoute {
  std::string_view method;
  std::string_view pattern;
  void (*handler)(const RestServices&, RestCall);
  bool writes = false;  ///< asks for Principal::may_write
};
/// Every route; a further one is a row.
[[nodiscard]] std::span<const RestRoute> rest_routes();

void list_nodes(const RestServices& services, RestCall call);
void show_node(const RestServices& services, RestCall call);
void forget_node(const RestServices& services, RestCall call);
void read_resource(const RestServices& services, RestCall call);
/// PUT, POST and DELETE.
void write_resource(const RestServices& services, RestCall call);
void list_gateways(const RestServices& services, RestCall call);
void label_node(const RestServices& services, RestCall call);
void show_history(const RestServices& services, RestCall call);
/// What every hop has counted, and whether it balances.
void show_status(const RestServices& services, RestCall call);
/// What the operator made of the dashboard.
void show_dashboard(const RestServices& services, RestCall call);
void list_events(const RestServices& services, RestCall call);
void import_history(const RestServices& services, RestCall call);

/// A page's `limit`, 1 to `most`; `otherwise` when absent; nothing for anything else.
[[nodiscard]] std::optional<std::size_t> parse_limit(std::string_view text, std::size_t otherwise,
                                                     std::size_t most);

/// The value a PUT or POST brings: `{"value":V}` with optional `encoding` and `format`.
struct BodyValue {
  std::string bytes;
  std::optional<std::uint16_t> content_format;
};
/// Errc::usage with what is wrong and where. An empty body is an empty value unless `required`.
[[nodiscard]] Result<BodyValue> parse_body_value(std::string_view body, bool required);

}  // namespace aiot::broker
