// Observations against Debian's libcoap server, killed and restarted, and against peers made by hand.
#include "integration/coap_client_support.h"

using namespace aiot;
using namespace aiot::test;
using coap::code;
using coap::Message;
using Kind = StreamEvent::Kind;
namespace option = coap::option;

namespace {

coap::ClientLimits hurried() {
  coap::ClientLimits limits;
  limits.least_grace = 100ms;
  limits.most_grace = 200ms;
  limits.first_retry = 50ms;
  limits.last_retry = 200ms;
  return limits;
}

/// A peer with one observable resource, whose notifications the test sends by hand.
class ObservedPeer {
 public:
  explicit ObservedPeer(EventLoop& loop, int family = AF_INET, std::uint16_t port = 0)
      : peer_(
            loop, [this](const Message& message) { on(message); }, family, port) {}

  [[nodiscard]] std::string uri() const { return peer_.uri("/r"); }
  void notify(std::uint32_t at, std::string payload, coap::Type type = coap::Type::non) {
    Message message;
    message.type = type;
    message.code = code(2, 5);
    message.message_id = next_id_++;
    message.token = token;
    message.add_uint(option::kObserve, at);
    if (max_age) message.add_uint(option::kMaxAge, *max_age);
    message.payload = std::move(payload);
    peer_.send(message);
  }
  void send(Message message) { peer_.send(message); }
  std::vector<Message>& heard() { return peer_.heard; }

  std::string value = "first";
  std::string token;
  std::string etag;
  std::uint32_t sequence = 10;
  std::optional<std::uint32_t> max_age;
  bool observable = true;
  bool mute = false;
  std::uint8_t error = 0;
  int registrations = 0;
  int leaves = 0;
  int resets = 0;
  int acknowledgements = 0;

 private:
  void on(const Message& message) {
    if (message.type == coap::Type::rst) {
      ++resets;
      return;
    }
    if (message.type == coap::Type::ack) {
      ++acknowledgements;
      return;
    }
    if (mute) return;
    const auto observe = message.uint_option(option::kObserve);
    if (observe == 1u) {
      ++leaves;
      return peer_.send(UdpPeer::answer(message, code(2, 5), value));
    }
    if (error != 0) return peer_.send(UdpPeer::answer(message, error));
    Message answer = UdpPeer::answer(message, code(2, 5), value);
    if (observe == 0u) {
      ++registrations;
      token = message.token;
      if (observable) answer.add_uint(option::kObserve, sequence);
      if (max_age) answer.add_uint(option::kMaxAge, *max_age);
      if (!etag.empty()) {
        answer.add(option::kEtag, etag);
        const auto known = message.string_options(option::kEtag);
        if (!known.empty() && known[0] == etag) {
          answer.code = code(2, 3);
          answer.payload.clear();
        }
      }
    }
    peer_.send(answer);
  }
  UdpPeer peer_;
  std::uint16_t next_id_ = 1000;
};

std::vector<std::string> payloads(const Heard& heard) {
  std::vector<std::string> out;
  for (const auto& value : heard.values) out.push_back(value.payload);
  return out;
}

}  // namespace

TEST_CASE("the time is told again and again") {
  CoapServerProcess server;
  Bench bench;
  Heard heard;
  const bool tcp = GENERATE(false, true);
  auto operation = bench.client().observe(make_request(tcp ? server.tcp_uri("/time") : server.uri("/time")),
                                          heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return heard.values.size() >= 3; }));
  CHECK(heard.events.empty());
  CHECK_FALSE(heard.failed);
  CHECK(heard.values[0].payload != heard.values[2].payload);
}

TEST_CASE("an observation survives that its server is killed and comes back, and says so") {
  auto limits = hurried();
  Bench bench(limits);
  Heard heard;
  CoapServerProcess server;
  const bool tcp = GENERATE(false, true);
  auto operation = bench.client().observe(make_request(tcp ? server.tcp_uri("/time") : server.uri("/time")),
                                          heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return heard.values.size() >= 2; }));
  server.kill();
  REQUIRE(bench.run_until([&] { return heard.has(Kind::lost); }));
  const auto before = heard.values.size();
  server.start();
  REQUIRE(bench.run_until([&] { return heard.has(Kind::resumed) && heard.values.size() > before + 1; }));
  CHECK(heard.events.size() == 2);
  CHECK_FALSE(heard.failed);
}

TEST_CASE("a restart too quick to be seen is noticed all the same") {
  Bench bench(hurried());
  Heard heard;
  CoapServerProcess server;
  auto operation = bench.client().observe(make_request(server.uri("/time")), heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return heard.values.size() >= 2; }));
  server.kill();
  server.start();
  const auto before = heard.values.size();
  REQUIRE(bench.run_until([&] { return heard.values.size() > before + 1; }));
  INFO(heard.text());
  CHECK_FALSE(heard.failed);
}

TEST_CASE(
    "a peer that forgot the observation is found out after Max-Age, and its news delivered with events") {
  Bench bench(hurried());
  ObservedPeer peer(bench.loop());
  peer.max_age = 0;
  Heard heard;
  auto operation = bench.client().observe(make_request(peer.uri()), heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return heard.values.size() == 1; }));
  peer.value = "second";
  REQUIRE(bench.run_until([&] { return heard.values.size() == 2; }));
  CHECK(heard.values[1].payload == "second");
  REQUIRE(heard.events.size() == 2);
  CHECK(heard.events[0].kind == Kind::lost);
  CHECK(heard.events[1].kind == Kind::resumed);
}

TEST_CASE("what cannot be observed is rejected") {
  CoapServerProcess server;
  Bench bench;
  Heard heard;
  auto operation = bench.client().observe(make_request(server.uri("/")), heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return heard.failed.has_value(); }));
  CHECK(heard.failed->code == Errc::rejected);
  CHECK(heard.failed->message.find("not observable") != std::string::npos);
  CHECK(heard.values.empty());
}

TEST_CASE("without a first answer an observation fails as a request does") {
  Bench bench;
  Heard heard;
  SECTION("refused") {
    auto request = make_request("coap://127.0.0.1:" + std::to_string(free_port()) + "/x");
    auto operation = bench.client().observe(std::move(request), heard.next(), heard.done());
    REQUIRE(bench.run_until([&] { return heard.failed.has_value(); }));
    CHECK(heard.failed->code == Errc::unreachable);
  }
  SECTION("silent") {
    const UdpSocket silent;
    auto request = make_request(silent.uri());
    request.timeout = 200ms;
    auto operation = bench.client().observe(std::move(request), heard.next(), heard.done());
    REQUIRE(bench.run_until([&] { return heard.failed.has_value(); }));
    CHECK(heard.failed->code == Errc::timeout);
  }
  SECTION("not there") {
    CoapServerProcess server;
    auto operation = bench.client().observe(make_request(server.uri("/nothing")), heard.next(), heard.done());
    REQUIRE(bench.run_until([&] { return heard.failed.has_value(); }));
    CHECK(heard.failed->native == 404);
  }
}

TEST_CASE("notifications out of order are left out, and the sequence may wrap") {
  Bench bench;
  ObservedPeer peer(bench.loop());
  peer.sequence = 0xFFFFF0;
  Heard heard;
  auto operation = bench.client().observe(make_request(peer.uri()), heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return heard.values.size() == 1; }));
  peer.notify(0xFFFFF3, "three");
  peer.notify(0xFFFFF2, "two");
  peer.notify(0xFFFFF3, "three again");
  peer.notify(5, "five");
  peer.notify(0xFFFFFF, "old");
  peer.notify(6, "six", coap::Type::con);
  REQUIRE(bench.run_until([&] { return heard.values.size() >= 4 && peer.acknowledgements == 1; }));
  CHECK(payloads(heard) == std::vector<std::string>{"first", "three", "five", "six"});
  CHECK(heard.events.empty());
}

TEST_CASE("cancelling tells the peer, and what comes after is reset") {
  Bench bench;
  ObservedPeer peer(bench.loop());
  Heard heard;
  auto operation = bench.client().observe(make_request(peer.uri()), heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return heard.values.size() == 1; }));
  operation.cancel();
  REQUIRE(bench.run_until([&] { return peer.leaves == 1; }));
  CHECK(peer.heard().back().token == peer.token);
  CHECK(peer.resets == 0);
  peer.notify(11, "unwanted", coap::Type::con);
  REQUIRE(bench.run_until([&] { return peer.resets == 1; }));
  CHECK(heard.values.size() == 1);
  CHECK_FALSE(heard.failed);
}

TEST_CASE("it may be cancelled from inside its own callback") {
  Bench bench;
  ObservedPeer peer(bench.loop());
  std::optional<Operation> operation;
  int values = 0;
  operation.emplace(bench.client().observe(
      make_request(peer.uri()),
      [&](Client::Notification) {
        ++values;
        operation.reset();
      },
      [](Result<>) {}));
  REQUIRE(bench.run_until([&] { return peer.leaves == 1; }));
  CHECK(values == 1);
}

TEST_CASE("silence past Max-Age registers again with the same token; an unchanged value is not repeated") {
  Bench bench(hurried());
  ObservedPeer peer(bench.loop());
  peer.max_age = 0;
  const bool with_etag = GENERATE(false, true);
  if (with_etag) peer.etag = "tag";
  Heard heard;
  auto operation = bench.client().observe(make_request(peer.uri()), heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return peer.registrations >= 3; }));
  CHECK(heard.values.size() == 1);
  CHECK(heard.events.empty());
  for (const auto& message : peer.heard()) CHECK(message.token == peer.heard()[0].token);
}

TEST_CASE("a peer that falls silent is lost, tried again and again, and resumed") {
  Bench bench(hurried());
  ObservedPeer peer(bench.loop());
  peer.max_age = 0;
  Heard heard;
  auto request = make_request(peer.uri());
  request.timeout = 200ms;
  auto operation = bench.client().observe(std::move(request), heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return heard.values.size() == 1; }));
  peer.mute = true;
  REQUIRE(bench.run_until([&] { return heard.has(Kind::lost) && peer.heard().size() >= 4; }));
  CHECK(heard.events.size() == 1);
  peer.mute = false;
  peer.value = "second";
  REQUIRE(bench.run_until([&] { return heard.values.size() == 2; }));
  CHECK(heard.has(Kind::resumed));
  CHECK(heard.values[1].payload == "second");
}

TEST_CASE("a peer that ends the observation is asked again") {
  Bench bench(hurried());
  ObservedPeer peer(bench.loop());
  Heard heard;
  auto operation = bench.client().observe(make_request(peer.uri()), heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return heard.values.size() == 1; }));
  Message gone;
  gone.type = coap::Type::con;
  gone.code = code(4, 4);
  gone.message_id = 77;
  gone.token = peer.token;
  peer.error = code(4, 4);
  peer.send(gone);
  REQUIRE(bench.run_until([&] { return heard.has(Kind::lost) && peer.heard().size() >= 4; }));
  CHECK(heard.events[0].reason.find("4.04") != std::string::npos);
  peer.error = 0;
  REQUIRE(bench.run_until([&] { return heard.has(Kind::resumed); }));
}

TEST_CASE("a notification of many blocks is fetched whole") {
  Bench bench;
  std::string value(100, 'a');
  std::string token;
  UdpPeer* self = nullptr;
  UdpPeer peer(bench.loop(), [&](const Message& message) {
    if (message.type == coap::Type::ack) return;
    const auto wanted = message.uint_option(option::kBlock2).value_or(0) >> 4;
    Message answer = UdpPeer::answer(message, code(2, 5), value.substr(wanted * 64, 64));
    if (message.uint_option(option::kObserve) == 0u) {
      token = message.token;
      answer.add_uint(option::kObserve, 1);
    }
    answer.add(option::kEtag, std::string(1, value[0]));
    answer.add_uint(option::kBlock2, wanted << 4 | (wanted * 64 + 64 < value.size() ? 8U : 0U) | 2U);
    self->send(answer);
  });
  self = &peer;
  Heard heard;
  auto operation = bench.client().observe(make_request(peer.uri()), heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return heard.values.size() == 1; }));
  CHECK(heard.values[0].payload == std::string(100, 'a'));
  value = std::string(200, 'b');
  Message notification;
  notification.type = coap::Type::con;
  notification.code = code(2, 5);
  notification.message_id = 99;
  notification.token = token;
  notification.add_uint(option::kObserve, 2);
  notification.add(option::kEtag, "b");
  notification.add_uint(option::kBlock2, 8U | 2U);
  notification.payload = value.substr(0, 64);
  peer.send(notification);
  REQUIRE(bench.run_until([&] { return heard.values.size() == 2; }));
  CHECK(heard.values[1].payload == std::string(200, 'b'));
}

TEST_CASE("observations do not count against the sessions that requests may have") {
  auto limits = hurried();
  limits.max_sessions = 2;
  Bench bench(limits);
  std::vector<std::unique_ptr<ObservedPeer>> peers;
  std::vector<Operation> operations;
  std::vector<Heard> heard(12);
  for (int i = 0; i < 12; ++i) {
    peers.push_back(std::make_unique<ObservedPeer>(bench.loop()));
    operations.push_back(
        bench.client().observe(make_request(peers.back()->uri()), heard[i].next(), heard[i].done()));
  }
  REQUIRE(bench.run_until([&] {
    for (const auto& one : heard) {
      if (one.values.empty()) return false;
    }
    return true;
  }));
  REQUIRE(bench.ask(make_request(peers[0]->uri())));
}
