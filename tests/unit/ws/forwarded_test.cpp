#include "core/ws/forwarded.h"

#include <catch2/catch.hpp>

#include "core/ws/http_head.h"

namespace aiot::ws {
namespace {

struct Seen {
  std::string peer, host;
  bool secure;
};

Seen forwarded(Headers headers, const std::string& from = "10.0.0.1:4711") {
  const auto trusted = *Networks::parse({"10.0.0.0/8", "fd00::/8"}, "--trusted-proxy");
  auto peer = *SocketAddress::parse(from);
  bool secure = false;
  headers.emplace_back("host", "inside");
  apply_forwarded(trusted, headers, peer, secure);
  return {peer.host(), std::string(find_header(headers, "host")), secure};
}

TEST_CASE("X-Forwarded-For names the client behind trusted proxies") {
  CHECK(forwarded({{"x-forwarded-for", "192.0.2.7"}}).peer == "192.0.2.7");
  CHECK(forwarded({{"x-forwarded-for", "192.0.2.7:1234"}}).peer == "192.0.2.7");
  CHECK(forwarded({{"x-forwarded-for", "2001:db8::7"}}).peer == "2001:db8::7");
  CHECK(forwarded({{"x-forwarded-for", "[2001:db8::7]:443"}}).peer == "2001:db8::7");
  // What the client itself sent stands on the left; the proxies append.
  CHECK(forwarded({{"x-forwarded-for", "1.1.1.1, 192.0.2.7, 10.9.9.9"}}).peer == "192.0.2.7");
  CHECK(forwarded({{"x-forwarded-for", "1.1.1.1"}, {"x-forwarded-for", "192.0.2.7"}}).peer == "192.0.2.7");
  CHECK(forwarded({{"x-forwarded-for", "10.1.1.1, 10.2.2.2"}}).peer == "10.1.1.1");
}

TEST_CASE("X-Forwarded-Proto and -Host are the nearest proxy's") {
  const auto seen =
      forwarded({{"x-forwarded-proto", "http, HTTPS"}, {"x-forwarded-host", "evil, iot.example"}});
  CHECK(seen.secure);
  CHECK(seen.host == "iot.example");
  CHECK(seen.peer == "10.0.0.1");
  CHECK_FALSE(forwarded({{"x-forwarded-proto", "http"}}).secure);
}

TEST_CASE("Forwarded (RFC 7239) counts where the proxy says nothing else") {
  const auto seen = forwarded({{"forwarded",
                                "for=9.9.9.9;proto=http, "
                                "For=\"[2001:db8:cafe::17]:4711\";Proto=https;host=\"iot.example:8443\""}});
  CHECK(seen.peer == "2001:db8:cafe::17");
  CHECK(seen.secure);
  CHECK(seen.host == "iot.example:8443");
  // nginx and others that set X-Forwarded-For pass on a Forwarded that the client has made up.
  const std::string made_up = "for=9.9.9.9;proto=https;host=evil";
  for (const auto& said : {Headers{{"x-forwarded-for", "192.0.2.7"}}, Headers{{"x-forwarded-proto", "http"}},
                           Headers{{"x-forwarded-host", "inside"}}}) {
    auto both = said;
    both.insert(both.begin(), {"forwarded", made_up});
    const auto believed = forwarded(both);
    CHECK(believed.peer == (said[0].first == "x-forwarded-for" ? "192.0.2.7" : "10.0.0.1"));
    CHECK_FALSE(believed.secure);
    CHECK(believed.host == "inside");
  }
}

TEST_CASE("What cannot be an address leaves the proxy's own") {
  for (const char* text : {"unknown", "_hidden", "", ",", "\"", ":80", "for=", "999.1.1.1", "[::1"}) {
    CHECK(forwarded({{"x-forwarded-for", text}}).peer == "10.0.0.1");
    CHECK(forwarded({{"forwarded", std::string("for=") + text}}).peer == "10.0.0.1");
  }
}

TEST_CASE("Nobody else is believed") {
  const Headers headers = {
      {"x-forwarded-for", "192.0.2.7"}, {"x-forwarded-proto", "https"}, {"x-forwarded-host", "a"}};
  const auto seen = forwarded(headers, "203.0.113.1:80");
  CHECK(seen.peer == "203.0.113.1");
  CHECK_FALSE(seen.secure);
  CHECK(seen.host == "inside");
  CHECK(forwarded(headers, "[fd00::1]:80").peer == "192.0.2.7");
}

}  // namespace
}  // namespace aiot::ws
