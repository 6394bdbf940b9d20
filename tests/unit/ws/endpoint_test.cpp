#include <catch2/catch.hpp>

#include "core/ws/client_error.h"
#include "core/ws/ws_client.h"

using namespace aiot;
using namespace aiot::ws;

TEST_CASE("an endpoint is read from every scheme") {
  struct Case {
    const char* url;
    bool tls;
    const char* host;
    int port;
    const char* path;
    const char* header;
  };
  const Case cases[] = {{"ws://example.org", false, "example.org", 80, "", "example.org"},
                        {"wss://Example.org/", true, "example.org", 443, "", "example.org"},
                        {"http://h:8080/prefix/", false, "h", 8080, "/prefix", "h:8080"},
                        {"https://h/a/b", true, "h", 443, "/a/b", "h"},
                        {"aiot://127.0.0.1", false, "127.0.0.1", 8000, "", "127.0.0.1:8000"},
                        {"AIOTS://h", true, "h", 443, "", "h"},
                        {"ws://[::1]:8000", false, "::1", 8000, "", "[::1]:8000"},
                        {"ws://[fe80::1%25lo]/x", false, "fe80::1%lo", 80, "/x", "[fe80::1]"},
                        {"ws://[fe80::1%lo]:1", false, "fe80::1%lo", 1, "", "[fe80::1]:1"}};
  for (const auto& one : cases) {
    CAPTURE(one.url);
    const auto endpoint = parse_endpoint(one.url);
    REQUIRE(endpoint);
    CHECK(endpoint->tls == one.tls);
    CHECK(endpoint->host == one.host);
    CHECK(endpoint->port == one.port);
    CHECK(endpoint->path == one.path);
    CHECK(host_header(*endpoint) == one.header);
  }
}

TEST_CASE("what is no endpoint is a usage error that shows no secret") {
  for (const char* url :
       {"", "example.org", "ftp://h", "ws://", "ws:///path", "ws://h:0", "ws://h:65536", "ws://h:x",
        "ws://h:", "ws://[::1", "ws://[::1]x", "ws://[nonsense]", "ws://[1.2.3.4]", "ws://h/?q", "ws://h#f",
        "ws://a b", "ws://h/a b", "ws://h/\x01", "ws://user:secret@h"}) {
    CAPTURE(url);
    const auto endpoint = parse_endpoint(url);
    REQUIRE_FALSE(endpoint);
    CHECK(endpoint.error().code == Errc::usage);
    CHECK(endpoint.error().message.find("secret@") == std::string::npos);
    CHECK(endpoint.error().message.find('\x01') == std::string::npos);
  }
}

TEST_CASE("refusals and closes are told by kind") {
  CHECK(status_error("x", 401).code == Errc::unauthorized);
  CHECK(status_error("x", 403).code == Errc::unauthorized);
  CHECK(status_error("x", 404).code == Errc::rejected);
  CHECK(status_error("x", 302).code == Errc::peer_failed);
  CHECK(status_error("x", 503).code == Errc::peer_failed);
  CHECK(status_error("x", 503).native == 503);
  CHECK(close_error("x", 1001, "").code == Errc::unreachable);
  CHECK(close_error("x", 1003, "why").code == Errc::rejected);
  CHECK(close_error("x", 1003, "why").message.find("why") != std::string::npos);
  CHECK(close_error("x", 1011, "").code == Errc::peer_failed);
  CHECK(closed_here_error("x", 1007, "").code == Errc::peer_failed);
}
