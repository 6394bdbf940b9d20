// Discovery of one host and of a resource directory.
#include "integration/coap_client_support.h"

using namespace aiot;
using namespace aiot::test;
using coap::code;
using coap::Message;
namespace option = coap::option;

namespace {

struct Found {
  std::vector<Discovered> all;
  std::optional<Result<>> done;

  Operation start(Bench& bench, DiscoverRequest request) {
    return bench.client().discover(
        std::move(request), [this](Discovered one) { all.push_back(std::move(one)); },
        [this](Result<> result) { done = std::move(result); });
  }
  [[nodiscard]] const Discovered* find(const std::string& uri) const {
    for (const auto& one : all) {
      if (one.uri == uri) return &one;
    }
    return nullptr;
  }
};

DiscoverRequest ask(const std::string& uri) {
  DiscoverRequest request;
  request.target = *parse_uri(uri);
  request.timeout = 2s;
  return request;
}

/// Answers each path with its link-format.
std::unique_ptr<UdpPeer> make_peer(Bench& bench, std::map<std::string, std::string> documents) {
  auto self = std::make_shared<UdpPeer*>(nullptr);
  auto peer = std::make_unique<UdpPeer>(bench.loop(), [self, documents](const Message& request) {
    std::string path;
    for (const auto segment : request.string_options(option::kUriPath)) path += "/" + std::string(segment);
    const auto at = documents.find(path);
    auto answer = UdpPeer::answer(request, at == documents.end() ? code(4, 4) : code(2, 5));
    if (at != documents.end()) {
      answer.add_uint(option::kContentFormat, 40);
      answer.payload = at->second;
    }
    (*self)->send(answer);
  });
  *self = peer.get();
  return peer;
}

}  // namespace

TEST_CASE("a host's resources are found with their attributes") {
  CoapServerProcess server;
  Bench bench;
  Found found;
  auto operation = found.start(bench, ask(server.uri("")));
  REQUIRE(bench.run_until([&] { return found.done.has_value(); }));
  REQUIRE(*found.done);
  const auto* time = found.find(server.uri("/time"));
  REQUIRE(time != nullptr);
  CHECK(time->type == Discovered::Type::resource);
  CHECK(time->path == "/time");
  CHECK(time->protocol == "CoAP");
  bool observable = false;
  bool titled = false;
  for (const auto& [name, value] : time->attributes) {
    if (name == "obs" && !value) observable = true;
    if (name == "title" && value == "Internal Clock") titled = true;
  }
  CHECK(observable);
  CHECK(titled);
}

TEST_CASE("a host's directory is looked up where it says") {
  Bench bench;
  auto peer = make_peer(
      bench,
      {{"/.well-known/core", "</rd>;rt=core.rd;ct=40,</lookup/res>;rt=\"core.rd-lookup-res other\";ct=40"},
       {"/lookup/res",
        "<coap://[2001:db8::3]:61616/temp>;rt=temperature,"
        "</light>;rt=light;anchor=\"coap://node2.example\",</own>"}});
  Found found;
  auto request = ask(peer->uri(""));
  request.resource_directory = true;
  auto operation = found.start(bench, std::move(request));
  REQUIRE(bench.run_until([&] { return found.done.has_value(); }));
  REQUIRE(*found.done);
  REQUIRE(found.all.size() == 3);
  CHECK(found.all[0].uri == "coap://[2001:db8::3]:61616/temp");
  CHECK(found.all[0].path == "/temp");
  CHECK(found.all[1].uri == "coap://node2.example/light");
  CHECK(found.all[2].uri == peer->uri("/own"));
}

TEST_CASE("a host without a directory says so") {
  Bench bench;
  auto peer = make_peer(bench, {{"/.well-known/core", "</a>"}});
  Found found;
  auto request = ask(peer->uri(""));
  request.resource_directory = true;
  auto operation = found.start(bench, std::move(request));
  REQUIRE(bench.run_until([&] { return found.done.has_value(); }));
  REQUIRE_FALSE(*found.done);
  CHECK(found.done->error().code == Errc::rejected);
}

TEST_CASE("garbage instead of links is a failure of the peer") {
  Bench bench;
  auto peer = make_peer(bench, {{"/.well-known/core", "<no end"}});
  Found found;
  auto operation = found.start(bench, ask(peer->uri("")));
  REQUIRE(bench.run_until([&] { return found.done.has_value(); }));
  REQUIRE_FALSE(*found.done);
  CHECK(found.done->error().code == Errc::peer_failed);
}

TEST_CASE("a host that is not there, or has no list, fails as a request does") {
  Bench bench;
  Found found;
  auto peer = make_peer(bench, {});
  auto operation = found.start(bench, ask(peer->uri("")));
  REQUIRE(bench.run_until([&] { return found.done.has_value(); }));
  CHECK(found.done->error().native == 404);
  found = {};
  operation = found.start(bench, ask("coap://127.0.0.1:" + std::to_string(free_port())));
  REQUIRE(bench.run_until([&] { return found.done.has_value(); }));
  CHECK(found.done->error().code == Errc::unreachable);
}
