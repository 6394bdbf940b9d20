#include "core/base/uri.h"

#include <catch2/catch.hpp>

using aiot::parse_uri;
using Strings = std::vector<std::string>;

namespace {

aiot::Uri good(std::string_view text) {
  INFO(text);
  const auto uri = parse_uri(text);
  if (!uri) FAIL(uri.error().message);
  return *uri;
}

std::string why_bad(std::string_view text) {
  INFO(text);
  const auto uri = parse_uri(text);
  REQUIRE_FALSE(uri);
  CHECK(uri.error().code == aiot::Errc::usage);
  return uri.error().message;
}

bool says(const std::string& message, std::string_view part) {
  return message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a CoAP URI falls into its parts") {
  const auto uri = good("CoAP://Example.ORG:61616/Sensors/temp%2Frature?unit=c&x=%26");
  CHECK(uri.scheme == "coap");
  CHECK(uri.host == "example.org");
  CHECK(uri.port == 61616);
  CHECK(uri.explicit_port);
  CHECK(uri.path == Strings{"Sensors", "temp/rature"});
  CHECK(uri.query == Strings{"unit=c", "x=&"});
  CHECK(uri.path_text() == "/Sensors/temp%2Frature");
  CHECK(uri.authority() == "coap://example.org:61616");
  CHECK(uri.text == "CoAP://Example.ORG:61616/Sensors/temp%2Frature?unit=c&x=%26");
}

TEST_CASE("every scheme has its default port") {
  const std::pair<const char*, int> ports[] = {{"coap", 5683},      {"coaps", 5684}, {"coap+tcp", 5683},
                                               {"coaps+tcp", 5684}, {"mqtt", 1883},  {"mqtts", 8883},
                                               {"mqttsn", 1885},    {"aiot", 8000},  {"aiots", 443}};
  for (const auto& [scheme, port] : ports) {
    const auto uri = good(std::string(scheme) + "://h/x");
    CHECK(uri.port == port);
    CHECK_FALSE(uri.explicit_port);
    CHECK(uri.authority() == std::string(scheme) + "://h");
  }
  CHECK(aiot::default_port("gopher") == 0);
}

TEST_CASE("IPv6 literals come with and without zones, in both spellings") {
  CHECK(good("coap://[::1]/x").host == "::1");
  CHECK(good("coap://[2001:DB8:0:0::1]:1234").authority() == "coap://[2001:db8::1]:1234");
  for (const char* text : {"coap://[fe80::1%lowpan0]/x", "coap://[fe80::1%25lowpan0]/x"}) {
    const auto uri = good(text);
    CHECK(uri.host == "fe80::1");
    CHECK(uri.zone == "lowpan0");
    CHECK(uri.authority() == "coap://[fe80::1%25lowpan0]");
  }
  CHECK(good("coap://[fe80::1%25]/").zone == "25");
  CHECK(good("coap://[fe80::1%251]/").zone == "1");
  CHECK(says(why_bad("coap://::1/x"), "brackets"));
  CHECK(says(why_bad("coap://[::1/x"), "']' is missing"));
  CHECK(says(why_bad("coap://[::1]x/"), "may follow"));
  CHECK(says(why_bad("coap://[fe80::1%]/"), "zone"));
  CHECK(says(why_bad("coap://[fe80::1%a b]/"), "interface"));
  CHECK(says(why_bad("coap://[1.2.3.4]/"), "IPv6"));
  why_bad("coap://[v1.x]/");
}

TEST_CASE("empty and trailing path segments are kept as RFC 7252 section 6.4 splits them") {
  CHECK(good("coap://h").path.empty());
  CHECK(good("coap://h/").path.empty());
  CHECK(good("coap://h/").path_text() == "/");
  CHECK(good("coap://h/a/").path == Strings{"a", ""});
  CHECK(good("coap://h//").path == Strings{"", ""});
  CHECK(good("coap://h?q=1").query == Strings{"q=1"});
  CHECK(good("coap://h/?").query.empty());
  CHECK(good("coap://h/a?b/c?d").query == Strings{"b/c?d"});
}

TEST_CASE("secrets do not belong in URIs, and are not repeated in the error") {
  for (const char* text : {"coap://user:hunter2@h/", "mqtt://hunter2@h/t", "coap:hunter2@h",
                           "foo://hunter2@h/", "aiot://:hunter2@h"}) {
    const auto message = why_bad(text);
    CHECK_FALSE(says(message, "hunter2"));
  }
  CHECK(says(why_bad("coap://u:p@h/"), "--password-file"));
  CHECK(good("coap://h/a@b").path == Strings{"a@b"});
}

TEST_CASE("on mqtt and mqttsn everything after the slash is the topic") {
  CHECK(good("mqtt://h/node/+/temp#").tail == "node/+/temp#");
  CHECK(good("mqtt://h/#").tail == "#");
  CHECK(good("mqtt://h/a?b%41&c").tail == "a?b%41&c");
  CHECK(good("mqtt://h/a/b").path == Strings{"a", "b"});
  CHECK(good("mqtt://h//lead").tail == "/lead");
  CHECK(good("mqtt://h").tail.empty());
  CHECK(good("mqttsn://").host.empty());
  CHECK(good("mqttsn:///topic").tail == "topic");
  why_bad("mqtt://h/a\nb");
  why_bad("mqtt://h/\xFF");
  why_bad("mqtt:///topic");
  why_bad("mqttsn://:1885/");
}

TEST_CASE("aiot paths hold stars and encoded slashes") {
  const auto uri = good("aiot://h/*/temperature");
  CHECK(uri.path == Strings{"*", "temperature"});
  CHECK(good("aiot://h/n1/a%2Fb").path == Strings{"n1", "a/b"});
}

TEST_CASE("bad URIs are refused with what is wrong and where") {
  CHECK(says(why_bad("temperature"), "SCHEME://"));
  CHECK(says(why_bad(""), "SCHEME://"));
  CHECK(says(why_bad("caop://h/"), "did you mean 'coap'"));
  CHECK(says(why_bad("gopher://h/"), "not known"));
  CHECK(says(why_bad("coap:///x"), "host is missing"));
  CHECK(says(why_bad("coap://h:0/"), "port"));
  CHECK(says(why_bad("coap://h:65536/"), "port"));
  CHECK(says(why_bad("coap://h:x/"), "port"));
  CHECK(says(why_bad("coap://h/x#frag"), "fragment"));
  CHECK(says(why_bad("coap://h/%4"), "%4"));
  CHECK(says(why_bad("coap://h/%zz"), "%zz"));
  CHECK(says(why_bad("coap://h/a b"), "offset 10"));
  CHECK(says(why_bad("coap://h/a\x01"), "offset 10"));
  CHECK(says(why_bad("coap://h\x01/"), "host"));
  CHECK(says(why_bad("coap://h/\xFF"), "UTF-8"));
  CHECK(says(why_bad("coap://h/" + std::string(256, 'a')), "255"));
  CHECK(says(why_bad("coap://h/?" + std::string(256, 'a')), "255"));
  CHECK(says(why_bad("coap://" + std::string(300, 'a') + "/"), "255"));
  CHECK(says(why_bad("aiot://h/" + std::string(9000, 'a')), "8 KB"));
  CHECK(good("coap://h:/x").port == 5683);
}

TEST_CASE("percent-encoding of a segment reads back") {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const auto encoded = aiot::percent_encode(all);
  CHECK(encoded.find('/') == std::string::npos);
  CHECK(*aiot::percent_decode(encoded) == all);
  CHECK(aiot::percent_encode("23°C") == "23%C2%B0C");
  CHECK(aiot::percent_encode("a/b") == "a%2Fb");
  CHECK_FALSE(aiot::percent_decode("%"));
  CHECK_FALSE(aiot::percent_decode("%4"));
  CHECK(*aiot::percent_decode("%41") == "A");
}
