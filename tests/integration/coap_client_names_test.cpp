// Names that have several addresses, or change theirs; runs in namespaces of its own, with its own
// /etc/hosts.
#include <sched.h>
#include <sys/mount.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "integration/coap_client_support.h"

using namespace aiot;
using namespace aiot::test;
using coap::code;
using coap::Message;
using Kind = StreamEvent::Kind;
namespace option = coap::option;

namespace {

/// What /etc/hosts says from now on, to this process only.
void set_hosts(const std::string& text) {
  static const std::string file = [] {
    std::string path = "/tmp/aiot-hosts-XXXXXX";
    const int fd = mkstemp(path.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    REQUIRE(unshare(CLONE_NEWNS) == 0);
    REQUIRE(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    REQUIRE(mount(path.c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) == 0);
    // The mount keeps the file; its name may go.
    std::remove(path.c_str());
    return std::string("/etc/hosts");
  }();
  std::ofstream(file, std::ios::trunc) << text;
}

/// Answers everything with `value`, and agrees to be observed.
class Peer {
 public:
  Peer(EventLoop& loop, std::string value, int family = AF_INET, std::uint16_t port = 0)
      : value_(std::move(value)),
        peer_(
            loop, [this](const Message& message) { on(message); }, family, port) {}
  [[nodiscard]] std::string uri(const std::string& host) const {
    return "coap://" + host + ":" + std::to_string(peer_.port()) + "/x";
  }
  [[nodiscard]] std::uint16_t port() const { return peer_.port(); }
  [[nodiscard]] const std::vector<Message>& heard() const { return peer_.heard; }
  /// Ends the observation with an error, and answers nothing from then on.
  void leave() {
    Message gone;
    gone.type = coap::Type::con;
    gone.code = code(5, 3);
    gone.message_id = 78;
    gone.token = token_;
    peer_.send(gone);
    silent_ = true;
  }

 private:
  void on(const Message& message) {
    if (silent_ || message.type == coap::Type::ack || message.type == coap::Type::rst) return;
    auto answer = UdpPeer::answer(message, code(2, 5), value_);
    if (message.uint_option(option::kObserve) == 0u) {
      token_ = message.token;
      answer.add_uint(option::kObserve, 5);
    }
    peer_.send(answer);
  }
  std::string value_;
  std::string token_;
  bool silent_ = false;
  UdpPeer peer_;
};

}  // namespace

TEST_CASE("a name is asked for with Uri-Host, an address is not") {
  set_hosts("127.0.0.1 node.test\n");
  Bench bench;
  Peer peer(bench.loop(), "x");
  REQUIRE(bench.ask(make_request(peer.uri("node.test"))));
  CHECK(peer.heard().back().string_options(option::kUriHost) == std::vector<std::string_view>{"node.test"});
  REQUIRE(bench.ask(make_request(peer.uri("127.0.0.1"))));
  CHECK(peer.heard().back().string_options(option::kUriHost).empty());
}

TEST_CASE("a name with several addresses is tried at each: refused on one, there on the other") {
  set_hosts("::1 node.test\n127.0.0.1 node.test\n");
  Bench bench;
  const int family = GENERATE(AF_INET, AF_INET6);
  const bool confirmable = GENERATE(true, false);
  Peer peer(bench.loop(), "here", family);
  auto request = make_request(peer.uri("node.test"), Method::put, "1");
  request.confirmable = confirmable;
  const auto answer = bench.ask(std::move(request));
  INFO(why(answer));
  REQUIRE(answer);
  CHECK(answer->payload == "here");
}

TEST_CASE("a silent address takes only its share of the time of a read") {
  set_hosts("::1 node.test\n127.0.0.1 node.test\n");
  Bench bench;
  const int family = GENERATE(AF_INET, AF_INET6);
  Peer peer(bench.loop(), "here", family);
  const UdpSocket silent(family == AF_INET ? AF_INET6 : AF_INET, peer.port());
  auto request = make_request(peer.uri("node.test"));
  request.timeout = 1s;
  const auto answer = bench.ask(std::move(request));
  INFO(why(answer));
  REQUIRE(answer);
  CHECK(answer->payload == "here");
}

TEST_CASE("a lost observation resolves its name anew, and finds the resource at its new address") {
  set_hosts("127.0.0.1 node.test\n");
  coap::ClientLimits limits;
  limits.first_retry = 50ms;
  limits.last_retry = 100ms;
  Bench bench(limits);
  Peer old(bench.loop(), "old");
  Peer moved(bench.loop(), "new", AF_INET6, old.port());
  Heard heard;
  auto request = make_request(old.uri("node.test"));
  request.timeout = 300ms;
  auto operation = bench.client().observe(std::move(request), heard.next(), heard.done());
  REQUIRE(bench.run_until([&] { return heard.values.size() == 1; }));
  CHECK(heard.values[0].payload == "old");
  old.leave();
  REQUIRE(bench.run_until([&] { return heard.has(Kind::lost); }));
  set_hosts("::1 node.test\n");
  REQUIRE(bench.run_until([&] { return heard.has(Kind::resumed); }));
  REQUIRE(heard.values.size() == 2);
  CHECK(heard.values[1].payload == "new");
}
