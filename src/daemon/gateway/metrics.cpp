#include "daemon/gateway/metrics.h"

#include <fmt/format.h>

#include <utility>

#include "core/loop/event_loop.h"
#include "core/ws/http_server.h"
#include "daemon/gateway/node_table.h"
#include "daemon/wire/metrics_text.h"

namespace aiot::gateway {

namespace {

constexpr const char* kReceived = "aiot_updates_received_total";
constexpr const char* kStored = "aiot_updates_stored_total";
constexpr const char* kDelivered = "aiot_updates_delivered_total";
constexpr const char* kDropped = "aiot_updates_dropped_total";

/// Calls `one(reason, number)` for everything that went no further.
template <class One>
void each_dropped(const Counters& counters, One one) {
  for (std::size_t i = 0; i < kDropReasons; ++i)
    one(to_string(static_cast<Drop>(i)), counters.nodes.dropped[i]);
  one("duplicate", counters.nodes.duplicates);
  one("malformed", counters.nodes.malformed);
  one("kernel", counters.nodes.kernel_drops);
  one("journal_full", counters.journal.dropped_full);
  one("disk_full", counters.journal.dropped_disk);
  one("journal_damaged", counters.journal.dropped_damaged);
  one("not_owner", counters.uplink.refused);
}

}  // namespace

std::string format_metrics(const Counters& counters, std::string_view gateway) {
  wire::MetricsText text;
  const std::string label = wire::escape_label(gateway);
  text.head(kReceived, "counter", "Values that nodes told.");
  for (std::size_t i = 0; i < kProtocols; ++i) {
    text.value(kReceived, fmt::format(R"(hop="gateway",protocol="{}")", to_string(static_cast<Protocol>(i))),
               counters.nodes.updates_of[i]);
  }
  text.one(kStored, "counter", "Items (values and events) that went into the journal.", R"(hop="gateway")",
           counters.journal.appended - counters.journal.dropped_disk);
  text.one(kDelivered, "counter", "Items that the broker has stored.", R"(hop="gateway")",
           counters.journal.acknowledged);
  text.head(kDropped, "counter",
            "Messages of nodes, and items for the broker, that went no further, by reason.");
  each_dropped(counters, [&](std::string_view reason, std::uint64_t number) {
    text.value(kDropped, fmt::format(R"(hop="gateway",reason="{}")", reason), number);
  });
  text.head("aiot_nodes", "gauge", "Nodes by state and gateway.");
  text.value("aiot_nodes", fmt::format(R"(state="live",gateway="{}")", label), counters.nodes.nodes_live);
  text.value("aiot_nodes", fmt::format(R"(state="out",gateway="{}")", label), counters.nodes.nodes_out);
  text.one("aiot_queue_bytes", "gauge", "Bytes of the journal.", R"(hop="gateway",to="broker")",
           counters.journal.bytes);
  text.one("aiot_queue_items", "gauge", "Items that the broker does not have.",
           R"(hop="gateway",to="broker")", counters.journal.unacknowledged);
  text.one("aiot_journal_restored_total", "counter", "Items found in the journal at the start.", {},
           counters.journal.restored);
  text.one("aiot_journal_failing", "gauge", "1 while the disk takes nothing.", {},
           counters.journal.failing ? 1 : 0);
  text.one("aiot_broker_connected", "gauge", "1 while connected to the broker.", {},
           counters.uplink.connected ? 1 : 0);
  text.one("aiot_broker_connects_total", "counter", "Connections to the broker.", {},
           counters.uplink.connects);
  text.one("aiot_secure_sessions", "gauge", "Sessions of nodes on DTLS and TLS.", {},
           counters.nodes.secure_sessions);
  text.one("aiot_handshakes_failed_total", "counter", "DTLS and TLS.", {}, counters.nodes.failed_handshakes);
  text.one("aiot_hellos_refused_total", "counter",
           "DTLS: of hosts with too many handshakes under way, or malformed, or of no session.", {},
           counters.nodes.refused_hellos);
  text.one("aiot_writes_total", "counter", "Requests to nodes.", {}, counters.nodes.writes);
  text.one("aiot_writes_failed_total", "counter", "Of them failed.", {}, counters.nodes.writes_failed);
  text.one("aiot_coap_reduced_answers_total", "counter",
           "CoAP answers cut to small blocks because the peer answered no ping.", {}, counters.nodes.reduced);
  text.one("aiot_build_info", "gauge", "The version that runs.", R"(version=")" AIOT_VERSION R"(")", 1);
  return text.take();
}

wire::Report report_of(const Counters& counters) {
  wire::Report out;
  out.counters = {{"received", counters.nodes.updates},
                  {"journaled", counters.journal.appended - counters.journal.dropped_disk},
                  {"restored", counters.journal.restored},
                  {"acknowledged", counters.journal.acknowledged},
                  {"queued", counters.journal.unacknowledged}};
  each_dropped(counters, [&](std::string_view reason, std::uint64_t number) {
    if (number > 0) out.counters.emplace_back("dropped." + std::string(reason), number);
  });
  return out;
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::listen(EventLoop& loop, const SocketAddress& address,
                                                             std::string gateway,
                                                             UniqueFunction<Counters()> counters) {
  std::unique_ptr<MetricsServer> self(new MetricsServer);
  self->gateway_ = std::move(gateway);
  self->counters_ = std::move(counters);
  ws::HttpServerOptions options;
  options.listen = address;
  options.max_body = 1024;
  options.max_connections = 64;
  auto server = ws::HttpServer::listen(
      loop, options,
      [raw = self.get()](const ws::HttpRequest& request, ws::HttpResponder responder) {
        ws::HttpResponse response;
        if (request.method != "GET") {
          response.status = 405;
          response.body = "only GET is possible here\n";
        } else if (request.path == "/metrics") {
          response.content_type = wire::MetricsText::kContentType;
          response.body = format_metrics(raw->counters_(), raw->gateway_);
        } else if (request.path == "/healthz" || request.path == "/readyz") {
          response.body = "ok\n";
        } else {
          response.status = 404;
          response.body = "there are /metrics, /healthz and /readyz\n";
        }
        responder.reply(std::move(response));
      },
      [](const ws::UpgradeRequest&) {
        ws::UpgradeDecision decision;
        decision.refuse_reason = "there is no WebSocket here";
        return decision;
      });
  if (!server) return server.error();
  self->server_ = std::move(*server);
  return self;
}

MetricsServer::~MetricsServer() = default;

SocketAddress MetricsServer::bound() const { return server_->bound(); }

void MetricsServer::stop(Duration deadline, Completion<> done) {
  server_->shut_down(deadline, std::move(done));
}

}  // namespace aiot::gateway
