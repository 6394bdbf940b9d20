#include "daemon/broker/admission.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "daemon/broker/keys.h"
#include "support/temporary_folder.h"

using namespace aiot;
using namespace aiot::broker;

namespace {

const wire::Keys kKeys{"abcdefghijklmnopqrstuvwxyz012345", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="};

ws::UpgradeRequest request(std::vector<std::string> subprotocols, std::string authorization = {}) {
  ws::UpgradeRequest made;
  made.path = "/gw";
  made.subprotocols = std::move(subprotocols);
  if (!authorization.empty()) made.headers.emplace_back("authorization", std::move(authorization));
  return made;
}

}  // namespace

TEST_CASE("pyaiot's token is accepted whether its list came whole or in parts") {
  const std::string token = *wire::pyaiot_token(kKeys, WallTime{});
  for (const auto& offered :
       {std::vector<std::string>{"token, " + token}, {"token", token}, {" token ,  " + token}}) {
    const auto admitted = admit_gateway(request(offered), {kKeys});
    REQUIRE(admitted);
    CHECK_FALSE(admitted->native);
    CHECK(admitted->subprotocol == "token");
  }
}

TEST_CASE("missing, malformed and foreign tokens are unauthorized") {
  const std::string token = *wire::pyaiot_token(kKeys, WallTime{});
  const std::string bound = *wire::gateway_token(kKeys, "paris", WallTime{});
  for (const auto& bad :
       {request({}), request({"token"}), request({"token", "x"}), request({token}),
        request({"aiot.gateway.v1"}), request({"aiot.gateway.v1"}, bound),
        request({"aiot.gateway.v1"}, "Basic " + bound), request({"aiot.gateway.v1"}, "Bearer x"),
        request({"aiot.gateway.v1"}, "Bearer " + token)}) {
    const auto admitted = admit_gateway(bad, {kKeys});
    REQUIRE_FALSE(admitted);
    CHECK(admitted.error().code == Errc::unauthorized);
  }
  const auto good = admit_gateway(request({"aiot.gateway.v1"}, "bearer  " + bound), {kKeys});
  REQUIRE(good);
  CHECK(good->principal.name == "paris");
  CHECK(good->native);
}

TEST_CASE("browsers are admitted from the broker's own origin and from those allowed") {
  const std::vector<std::string> allowed = {"https://Dash.example/", "http://localhost:3000"};
  CHECK(origin_allowed("", "h:8000", "h", {}));
  CHECK(origin_allowed("http://h:8000", "H:8000", "h", {}));
  CHECK(origin_allowed("https://h", "h", "H", {}));
  CHECK_FALSE(origin_allowed("http://h:8001", "h:8000", "h", {}));
  CHECK_FALSE(origin_allowed("http://evil", "h", "h", allowed));
  CHECK_FALSE(origin_allowed("null", "h", "h", allowed));
  CHECK_FALSE(origin_allowed("http://", "", "", allowed));
  CHECK_FALSE(origin_allowed("https://dash.example.evil", "h", "h", allowed));
  CHECK(origin_allowed("https://dash.example", "h", "h", allowed));
  CHECK(origin_allowed("http://localhost:3000", "h", "h", allowed));
  CHECK(origin_allowed("http://anything", "h", "h", {"*"}));
}

TEST_CASE("where nobody may anything without credentials, any name is as good as the broker's own") {
  CHECK_FALSE(origin_allowed("https://iot.example", "iot.example", "h", {}));
  CHECK(origin_allowed("https://iot.example", "iot.example", "h", {}, true));
  CHECK_FALSE(origin_allowed("https://evil.example", "iot.example", "h", {}, true));
  CHECK_FALSE(origin_allowed("null", "iot.example", "h", {}, true));
}

TEST_CASE("a broker of this machine is not read under a name that a stranger made to lead here") {
  for (const std::string host : {"", "127.0.0.1:8000", "[::1]:8000", "localhost", "x.localhost:8000",
                                 "pi.lan:8000", "broker:8000", "h"}) {
    CAPTURE(host);
    CHECK(host_allowed(host, "pi.lan", {}));
  }
  for (const std::string host :
       {"rebind.evil:8000", "pi.lan.evil", "localhost.evil", "1.2.3.4.evil:80", "[::1].evil"}) {
    CAPTURE(host);
    CHECK_FALSE(host_allowed(host, "pi.lan", {"http://other.evil", "http://rebind.evil:8001"}));
    CHECK(host_allowed(host, "pi.lan", {"https://" + host + "/"}));
    CHECK(host_allowed(host, "pi.lan", {"*"}));
  }
}

TEST_CASE("a page whose name a stranger made to lead here is not of the broker's own origin") {
  for (const std::string host : {"127.0.0.1:8000", "192.0.2.1", "[::1]:8000", "[2001:db8::1]",
                                 "localhost:8000", "LOCALHOST", "broker.localhost:8000", "pi:8000", "Pi"}) {
    CAPTURE(host);
    CHECK(origin_allowed("http://" + host, host, "pi", {}));
  }
  for (const std::string host : {"rebind.evil:8000", "rebind.evil", "pi.evil", "xlocalhost", "localhost.evil",
                                 ".evil", ":8000", "1.2.3.4.evil", "[::1].evil:8000", "[::1"}) {
    CAPTURE(host);
    CHECK_FALSE(origin_allowed("http://" + host, host, "pi", {}));
    CHECK(origin_allowed("http://" + host, host, "pi", {"http://" + host}));
  }
  CHECK_FALSE(origin_allowed("http://x", "x", "", {}));
}

TEST_CASE("a broker on loopback makes a missing key file, another does not") {
  const test::TemporaryFolder folder;
  const std::string path = folder.path + "/keys";
  CHECK(open_keys(path, *SocketAddress::parse("0.0.0.0:8000")).error().code == Errc::usage);
  CHECK_FALSE(std::filesystem::exists(path));
  const auto made = open_keys(path, *SocketAddress::parse("127.0.0.1:8000"));
  REQUIRE(made);
  const auto again = open_keys(path, *SocketAddress::parse("0.0.0.0:8000"));
  REQUIRE(again);
  CHECK(again->secret == made->secret);
}
