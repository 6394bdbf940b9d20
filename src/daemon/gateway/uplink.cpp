#include "daemon/gateway/uplink.h"

#include <fmt/core.h>

#include <cerrno>

#include "core/base/log.h"

namespace aiot::gateway {

namespace {
constexpr Duration kFirstWait = std::chrono::milliseconds(500), kLastWait = std::chrono::seconds(30);
/// A connection refused at once (the machine is there, the broker is not: it restarts) costs nobody anything,
/// and is tried again soon, however long that lasts: values are live within a second of the broker's return.
constexpr Duration kAtOnce = std::chrono::milliseconds(200), kSoon = std::chrono::milliseconds(800);
/// Neither a wrong token nor a name that another gateway uses becomes right by itself.
constexpr Duration kRefusedWait = std::chrono::seconds(60);
/// A connection that lasted so long makes the waits short again.
constexpr Duration kSteady = std::chrono::seconds(10);
constexpr Duration kWelcomeWait = std::chrono::seconds(10);
constexpr Duration kReportEvery = std::chrono::seconds(5);
constexpr Duration kAcknowledgeWait = std::chrono::seconds(30);
/// Above this the WebSocket's own queue takes no more; it asks for more at WsClient::kLowWater.
constexpr std::size_t kHighWater = 1024 * 1024;
/// The same failure is logged at its 1st, 10th, 100th ... time.
bool worth_logging(std::uint64_t nth) {
  for (; nth >= 10 && nth % 10 == 0; nth /= 10) {
  }
  return nth == 1;
}
}  // namespace

Uplink::Uplink(EventLoop& loop, NodeTable& table, Journal& journal, UplinkOptions options,
               Callbacks callbacks)
    : loop_(loop),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      journal_(journal),
      outbox_(table, journal),
      retry_timer_(loop.make_timer([this] { dial(); })),
      reap_timer_(loop.make_timer([this] { client_.reset(); })),
      watch_timer_(loop.make_timer([this] { watch(); })),
      flush_timer_(loop.make_timer([this] { flush(); })),
      report_timer_(loop.make_timer([this] { report(); })),
      stop_timer_(loop.make_timer([this] {
        client_.reset();
        stopped_(Result<>());
      })),
      backoff_(kFirstWait, kLastWait),
      owed_(kAcknowledgeWait) {}

Uplink::~Uplink() { stopped_.dismiss(); }

void Uplink::start() { retry_timer_->start(Duration(0)); }

void Uplink::dial() {
  client_.reset();
  dialled_at_ = loop_.now();
  auto token = options_.token();
  if (!token) {
    closed(token.error());
    return;
  }
  ws::ClientOptions options;
  options.path = "/gw";
  options.subprotocols = {std::string(wire::kGatewayV1)};
  options.headers = {{"authorization", "Bearer " + *token}};
  ws::WsClient::Callbacks callbacks;
  callbacks.opened = [this](const std::string& subprotocol) { opened(subprotocol); };
  callbacks.received = [this](std::string_view text, bool binary) {
    if (!binary) received(text);
  };
  callbacks.closed = [this](const Error& why) { closed(why); };
  callbacks.writable = [this] { flush(); };
  client_ = ws::WsClient::connect(loop_, options_.broker, std::move(options), std::move(callbacks));
}

void Uplink::opened(const std::string& subprotocol) {
  open_ = true;
  if (subprotocol != wire::kGatewayV1) {
    give_up_on(fmt::format("the broker does not speak {}", wire::kGatewayV1));
    return;
  }
  wire::Hello hello;
  hello.name = options_.name;
  hello.site = options_.site;
  auto stream = outbox_.next_stream();
  hello.stream = std::move(stream.id);
  hello.earlier = std::move(stream.earlier);
  hello.journal = true;
  hello.software = "aiot " AIOT_VERSION;
  client_->send_text(wire::format_message(hello));
  watch_timer_->start(kWelcomeWait);
}

void Uplink::received(std::string_view text) {
  auto message = wire::parse_message(text);
  if (!message) {
    log::debug("broker: ignored a message: {}", message.error().message);
    return;
  }
  if (auto* ack = std::get_if<wire::Ack>(&*message)) {
    outbox_.acknowledged(ack->sequence);
    owed_.tell(outbox_.in_flight(), loop_.now());
    if (connected_) flush();
  } else if (auto* ask = std::get_if<wire::Ask>(&*message)) {
    callbacks_.ask(*ask);
  } else if (auto* welcome = std::get_if<wire::Welcome>(&*message)) {
    if (!connected_) welcomed(*welcome);
  } else if (auto* resume = std::get_if<wire::Resume>(&*message)) {
    outbox_.resumed(resume->stream, resume->acknowledged);
    if (connected_) flush();
  } else if (auto* refused = std::get_if<wire::Refused>(&*message)) {
    callbacks_.refused(*refused);
  } else if (auto* freed = std::get_if<wire::Freed>(&*message)) {
    callbacks_.freed(*freed);
  } else if (auto* failure = std::get_if<wire::Failure>(&*message)) {
    log::error("broker: {}: {}", failure->code, failure->message);
    displaced_ = failure->code == "name_conflict";
  }
}

void Uplink::welcomed(const wire::Welcome& welcome) {
  log::info("connected to the broker at {}:{} as '{}'", options_.broker.host, options_.broker.port,
            options_.name);
  connected_ = true;
  connected_at_ = loop_.now();
  in_a_row_ = 0;
  last_failure_.clear();
  outbox_.opened(welcome.acknowledged, welcome.window_items, welcome.journal);
  owed_.tell(0, loop_.now());
  watch_timer_->start(kAcknowledgeWait);
  flush();
  if (welcome.journal) report();
}

void Uplink::report() {
  if (!connected_) return;
  client_->send_text(wire::format_message(callbacks_.report()));
  report_timer_->start(kReportEvery);
}

void Uplink::flush() {
  if (!connected_) return;
  journal_.write();
  while (client_->queued_bytes() < kHighWater) {
    auto message = outbox_.take();
    if (message.empty()) break;
    client_->send_text(std::move(message));
  }
  owed_.tell(outbox_.in_flight(), loop_.now());
  if (outbox_.overflowed()) give_up_on("more happened than the connection could take");
  if (outbox_.wants_redial()) give_up_on("what an earlier run left is sent");
}

void Uplink::answer(const wire::Answer& answer) {
  if (!connected_) return;
  flush();  // a written value is known before its confirmation
  if (connected_) client_->send_text(wire::format_message(answer));
}

void Uplink::watch() {
  if (!connected_) {
    give_up_on("no welcome within 10 s");
    return;
  }
  if (owed_.overdue(loop_.now())) {
    give_up_on("no acknowledgement for 30 s");
    return;
  }
  watch_timer_->start(owed_.wait(loop_.now()));
}

void Uplink::give_up_on(std::string_view why) {
  if (client_) client_->close(1002, why);
  closed(make_error(Errc::peer_failed, std::string(why)));
}

void Uplink::closed(const Error& why) {
  const bool was_connected = std::exchange(connected_, false);
  open_ = false;
  watch_timer_->stop();
  flush_timer_->stop();
  report_timer_->stop();
  outbox_.lost();
  if (stopping_) {
    stop_timer_->start(Duration(0));
    return;
  }
  if (retry_timer_->armed()) return;  // this end gave up on it before
  reap_timer_->start(Duration(0));
  ++failures_;
  in_a_row_ = why.message == last_failure_ ? in_a_row_ + 1 : 1;
  last_failure_ = why.message;
  if (was_connected && loop_.now() - connected_at_ >= kSteady) backoff_.reset();
  const bool refused = why.code == Errc::unauthorized;
  if (worth_logging(in_a_row_)) {
    if (refused) {
      // Over TLS that fails no token was sent.
      const bool answered = why.native == 401 || why.native == 403;
      log::error("{} the broker at {}:{}: {}",
                 answered ? "this gateway's token is refused by" : "does not trust", options_.broker.host,
                 options_.broker.port, why.message);
    } else {
      log::warn("{} the broker at {}:{}: {}; trying again", was_connected ? "lost" : "cannot reach",
                options_.broker.host, options_.broker.port, why.message);
    }
  }
  const bool at_once = why.native == ECONNREFUSED && loop_.now() - dialled_at_ <= kAtOnce;
  const Duration wait = at_once ? jittered(kSoon) : backoff_.next();
  retry_timer_->start(refused || std::exchange(displaced_, false) ? jittered(kRefusedWait) : wait);
}

void Uplink::stop(Duration deadline, Completion<> done) {
  stopping_ = true;
  stopped_ = std::move(done);
  retry_timer_->stop();
  if (!client_ || !open_) {
    stop_timer_->start(Duration(0));
    return;
  }
  flush();
  stop_timer_->start(deadline);
  client_->close(1000, "the gateway stops");
}

}  // namespace aiot::gateway
