// The client against Debian's libcoap server, and against nobody.
#include <sys/resource.h>

#include "integration/coap_client_support.h"
#include "support/tcp_listener.h"

using namespace aiot;
using namespace aiot::test;

namespace {

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 31 + i / 251) & 0xFF);
  return out;
}

Duration elapsed(EventLoop& loop, TimePoint since) { return loop.now() - since; }

}  // namespace

TEST_CASE("a GET brings code, payload, format and round trip") {
  CoapServerProcess server;
  Bench bench;
  const auto answer = bench.ask(make_request(server.uri("/time?ticks")));
  REQUIRE(answer);
  CHECK(answer->code == "2.05");
  CHECK(answer->protocol == "CoAP");
  CHECK(answer->resource == "time");
  CHECK(answer->uri == server.uri("/time?ticks"));
  CHECK_FALSE(answer->content_format);
  CHECK(answer->payload.find_first_not_of("0123456789") == std::string::npos);
  REQUIRE(answer->rtt);
  CHECK(*answer->rtt < 1s);
}

TEST_CASE("the same over TCP") {
  CoapServerProcess server;
  Bench bench;
  const auto answer = bench.ask(make_request(server.tcp_uri("/time")));
  REQUIRE(answer);
  CHECK(answer->code == "2.05");
  CHECK_FALSE(answer->payload.empty());
}

TEST_CASE("a resource that is not there is rejected with its code and phrase") {
  CoapServerProcess server;
  Bench bench;
  for (const auto& uri : {server.uri("/nothing"), server.tcp_uri("/nothing")}) {
    const auto answer = bench.ask(make_request(uri));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Errc::rejected);
    CHECK(answer.error().native == 404);
    const std::string expected = "4.04 Not Found";
    REQUIRE(answer.error().message.size() > expected.size());
    CHECK(answer.error().message.substr(answer.error().message.size() - expected.size()) == expected);
    CHECK(answer.error().outcome == Outcome::none);
  }
}

TEST_CASE("a payload of many blocks goes up and comes down byte for byte") {
  CoapServerProcess server({"-d", "10"});
  Bench bench;
  const std::size_t size = GENERATE(0, 1, 1023, 1024, 1025, 5000, 65536);
  const bool tcp = GENERATE(false, true);
  CAPTURE(size, tcp);
  const auto uri = tcp ? server.tcp_uri("/made") : server.uri("/made");
  auto put = make_request(uri, Method::put, pattern(size));
  put.content_format = 42;
  const auto written = bench.ask(std::move(put));
  INFO(why(written));
  REQUIRE(written);
  CHECK(written->code == "2.01");
  CHECK(written->confirmed == "device");
  const auto read = bench.ask(make_request(uri));
  REQUIRE(read);
  CHECK(read->payload == pattern(size));
  CHECK(read->content_format == std::uint16_t{42});
}

TEST_CASE("deleting what was made answers 2.02") {
  CoapServerProcess server({"-d", "10"});
  Bench bench;
  REQUIRE(bench.ask(make_request(server.uri("/gone"), Method::put, "x")));
  const auto deleted = bench.ask(make_request(server.uri("/gone"), Method::del));
  REQUIRE(deleted);
  CHECK(deleted->code == "2.02");
  CHECK(bench.ask(make_request(server.uri("/gone"))).error().native == 404);
}

TEST_CASE("a refused write says that it was rejected") {
  CoapServerProcess server;
  Bench bench;
  const auto answer = bench.ask(make_request(server.uri("/nothing"), Method::post, "x"));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().outcome == Outcome::rejected);
}

TEST_CASE("NON requests are answered too") {
  CoapServerProcess server;
  Bench bench;
  auto request = make_request(server.uri("/time"));
  request.confirmable = false;
  const auto answer = bench.ask(std::move(request));
  REQUIRE(answer);
  CHECK(answer->code == "2.05");
}

TEST_CASE("a separate response arrives") {
  CoapServerProcess server;
  Bench bench;
  const auto answer = bench.ask(make_request(server.uri("/async?1")));
  REQUIRE(answer);
  CHECK(answer->payload == "done");
}

TEST_CASE("a closed port is unreachable at once, and a write to it was not sent") {
  Bench bench;
  const bool confirmable = GENERATE(true, false);
  const std::string scheme = GENERATE("coap", "coap+tcp");
  const std::string host = GENERATE("127.0.0.1", "[::1]");
  CAPTURE(confirmable, scheme, host);
  auto request =
      make_request(scheme + "://" + host + ":" + std::to_string(free_port()) + "/x", Method::put, "1");
  request.confirmable = confirmable;
  const auto start = bench.loop().now();
  const auto answer = bench.ask(std::move(request));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::unreachable);
  CHECK(answer.error().outcome == Outcome::not_sent);
  CHECK(elapsed(bench.loop(), start) < 1s);
}

TEST_CASE("a silent peer is a timeout at the deadline, and a write to it unknown") {
  Bench bench;
  const UdpSocket silent;
  const bool confirmable = GENERATE(true, false);
  auto request = make_request(silent.uri(), Method::post, "1");
  request.confirmable = confirmable;
  request.timeout = 300ms;
  const auto start = bench.loop().now();
  const auto answer = bench.ask(std::move(request));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::timeout);
  CHECK(answer.error().outcome == Outcome::unknown);
  CHECK(elapsed(bench.loop(), start) >= 300ms);
  CHECK(elapsed(bench.loop(), start) < 600ms);
}

TEST_CASE("a TCP peer that accepts and says nothing is a timeout too") {
  Bench bench;
  const TcpListener listener;
  auto request =
      make_request("coap+tcp://127.0.0.1:" + std::to_string(listener.port()) + "/x", Method::put, "1");
  request.timeout = 300ms;
  const auto start = bench.loop().now();
  const auto answer = bench.ask(std::move(request));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::timeout);
  CHECK(answer.error().outcome == Outcome::not_sent);
  CHECK(elapsed(bench.loop(), start) < 600ms);
}

TEST_CASE("requests to one silent peer wait in order, each within its own deadline") {
  Bench bench;
  const UdpSocket silent;
  std::vector<std::pair<int, Error>> failed;
  std::vector<Operation> operations;
  for (int i = 0; i < 3; ++i) {
    auto request = make_request(silent.uri(), Method::put, "1");
    request.timeout = (i == 1 ? 100ms : 300ms);
    operations.push_back(bench.client().request(std::move(request), [&failed, i](Result<Response> result) {
      failed.emplace_back(i, result.error());
    }));
  }
  REQUIRE(bench.run_until([&] { return failed.size() == 3; }));
  CHECK(failed[0].first == 1);
  CHECK(failed[0].second.outcome == Outcome::not_sent);
  CHECK(failed[1].second.outcome == Outcome::unknown);
}

TEST_CASE("a name that does not exist is unreachable and nothing was sent") {
  Bench bench;
  const auto answer = bench.ask(make_request("coap://no-such-host.invalid/x", Method::put, "1"));
  REQUIRE_FALSE(answer);
  CHECK((answer.error().code == Errc::unreachable || answer.error().code == Errc::timeout));
  CHECK(answer.error().outcome == Outcome::not_sent);
}

TEST_CASE("what CoAP has no words for is a usage error") {
  Bench bench;
  CHECK(bench.ask(make_request("mqtt://127.0.0.1/x")).error().code == Errc::usage);
  auto longest = make_request("coap://127.0.0.1/x");
  longest.uri.path = {std::string(256, 'a')};
  CHECK(bench.ask(std::move(longest)).error().code == Errc::usage);
  longest = make_request("coap://127.0.0.1/x");
  longest.uri.query = {std::string(256, 'a')};
  CHECK(bench.ask(std::move(longest)).error().code == Errc::usage);
  CHECK(bench.ask(make_request("coap://224.0.1.187/x")).error().code == Errc::usage);
  auto request = make_request("coap://127.0.0.1/x", Method::put);
  request.if_match = {"123456789"};
  CHECK(bench.ask(std::move(request)).error().code == Errc::usage);
}

TEST_CASE("a cancelled request is silent, and the next goes on") {
  CoapServerProcess server;
  Bench bench;
  const UdpSocket silent;
  bool called = false;
  {
    auto gone = bench.client().request(make_request(silent.uri()), [&](Result<Response>) { called = true; });
  }
  auto stopped =
      bench.client().request(make_request(server.uri("/time")), [&](Result<Response>) { called = true; });
  stopped.cancel();
  REQUIRE(bench.ask(make_request(server.uri("/time"))));
  CHECK_FALSE(called);
}

TEST_CASE("the client may be destroyed inside its own callback, with others under way") {
  CoapServerProcess server;
  Bench bench;
  const UdpSocket silent;
  int called = 0;
  std::vector<Operation> others;
  others.push_back(bench.client().request(make_request(silent.uri()), [&](Result<Response>) { ++called; }));
  others.push_back(bench.client().observe(
      make_request(server.uri("/time")), [&](Client::Notification) { ++called; },
      [&](Result<>) { ++called; }));
  bool done = false;
  auto operation = bench.client().request(make_request(server.uri("/time?ticks")), [&](Result<Response>) {
    bench.drop_client();
    done = true;
    called = 0;
  });
  REQUIRE(bench.run_until([&] { return done; }));
  bench.run_until([] { return false; }, 50ms);
  CHECK(called == 0);
}

TEST_CASE("hundreds of destinations are asked at once over few sessions") {
  coap::ClientLimits limits;
  limits.max_sessions = 8;
  limits.sessions_per_context = 3;
  Bench bench(limits);
  std::vector<Operation> operations;
  std::size_t good = 0;
  std::size_t bad = 0;
  std::vector<std::unique_ptr<UdpPeer>> answering;
  for (int i = 0; i < 200; ++i) {
    auto holder = std::make_shared<UdpPeer*>(nullptr);
    answering.push_back(std::make_unique<UdpPeer>(bench.loop(), [holder](const coap::Message& request) {
      (*holder)->send(UdpPeer::answer(request, coap::code(2, 5), "hello"));
    }));
    *holder = answering.back().get();
    for (int k = 0; k < 2; ++k) {
      operations.push_back(bench.client().request(
          make_request(answering.back()->uri()),
          [&](Result<Response> result) { ++(result && result->payload == "hello" ? good : bad); }));
    }
  }
  REQUIRE(bench.run_until([&] { return good + bad == 400; }, 20s));
  CHECK(bad == 0);
}

#ifndef __SANITIZE_ADDRESS__
// (The undefined behaviour sanitizer needs a descriptor itself for every look at an object's type.)
TEST_CASE("when descriptors run out, requests wait for a session and none fails") {
  CoapServerProcess server({}, "0.0.0.0");
  Bench bench;
  REQUIRE(bench.ask(make_request(server.uri("/time"))));
  const int next = dup(0);
  ::close(next);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(next) + 6;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
  std::vector<Operation> operations;
  int good = 0;
  int bad = 0;
  for (int i = 1; i <= 50; ++i) {
    auto uri = server.uri("/time");
    uri.replace(uri.find("127.0.0.1"), 9, "127.0.1." + std::to_string(i));
    operations.push_back(
        bench.client().request(make_request(uri), [&](Result<Response> result) { ++(result ? good : bad); }));
  }
  const bool finished = bench.run_until([&] { return good + bad == 50; });
  setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE(finished);
  CHECK(bad == 0);
}

#endif

TEST_CASE("more requests than may wait for one destination are refused, and counted") {
  coap::ClientLimits limits;
  limits.max_waiting = 2;
  Bench bench(limits);
  const UdpSocket silent;
  std::vector<Operation> operations;
  std::vector<Errc> failed;
  for (int i = 0; i < 4; ++i) {
    auto request = make_request(silent.uri(), Method::put, "1");
    request.timeout = 200ms;
    operations.push_back(bench.client().request(std::move(request), [&](Result<Response> result) {
      failed.push_back(result.error().code);
      if (failed.size() == 1) CHECK(result.error().outcome == Outcome::not_sent);
    }));
  }
  REQUIRE(bench.run_until([&] { return failed.size() == 4; }));
  CHECK(failed == std::vector<Errc>{Errc::internal, Errc::timeout, Errc::timeout, Errc::timeout});
  CHECK(bench.client().counters().overflows == 1);
  CHECK(bench.client().counters().timeouts == 3);
}
