#include <cstdlib>

#include "mqtt_session_support.h"

using namespace aiot;
using namespace aiot::test;

namespace {

/// An authority, a server's certificate for "localhost" and 127.0.0.1, and a client's, made with openssl.
void make_certificates(const std::string& folder) {
  const std::string script =
      "cd " + folder +
      " && exec >openssl.log 2>&1 && set -e\n"
      "key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }\n"
      "key ca; openssl req -x509 -new -key ca.key -subj /CN=test-ca -days 2 -out ca.pem\n"
      "key other; openssl req -x509 -new -key other.key -subj /CN=other-ca -days 2 -out other.pem\n"
      "sign() { key $1; openssl req -new -key $1.key -subj /CN=$1 -out $1.csr\n"
      "  printf \"$2\" >$1.ext; openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days "
      "2 "
      "-extfile $1.ext -out $1.pem; }\n"
      "sign server 'subjectAltName=DNS:localhost\\n'\n"
      "sign client 'basicConstraints=CA:FALSE\\n'\n";
  REQUIRE(std::system(("bash -c '" +
                       [&] {
                         std::string quoted;
                         for (const char c : script)
                           quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
                         return quoted;
                       }() +
                       "'")
                          .c_str()) == 0);
}

constexpr const char* kListener =
    "cafile FOLDER/ca.pem\ncertfile FOLDER/server.pem\nkeyfile FOLDER/server.key\n";

}  // namespace

TEST_CASE("mqtts is verified by authority and name") {
  Mosquitto broker({}, kListener);
  make_certificates(broker.folder());
  broker.start();
  TestLoop loop;
  auto options = options_for(broker);
  options.retry = false;
  options.tls = mqtt::TlsOptions{broker.folder() + "/ca.pem", {}, {}, {"mqtt"}};
  const auto failure = [&] {
    Talker talker(loop, options);
    REQUIRE(talker.session->start());
    REQUIRE(loop.run_until([&] { return !talker.failures.empty(); }));
    return talker.failures[0];
  };
  SECTION("the right name") {
    options.host = "localhost";
    Talker a(loop, options);
    a.connect();
    mqtt::SubscribeOptions exactly;
    exactly.qos = 2;
    REQUIRE(a.subscribe("t", exactly));
    // Many records, large ones, both ways at once.
    int acknowledged = 0;
    for (int i = 0; i < 200; ++i)
      a.session->publish(make_message("t", std::string(static_cast<std::size_t>(i) * 499, 'x'), i % 3),
                         [&](const Result<void>& result) { acknowledged += result.has_value() ? 1 : 0; });
    REQUIRE(a.gets(200));
    REQUIRE(loop.run_until([&] { return acknowledged == 200; }));
  }
  SECTION("another name") {
    options.host = "127.0.0.1";
    const auto error = failure();
    INFO(error.message);
    CHECK(error.code == Errc::unauthorized);
    CHECK(error.message.find("IP address mismatch") != std::string::npos);
  }
  SECTION("another authority") {
    options.host = "localhost";
    options.tls->ca_file = broker.folder() + "/other.pem";
    const auto error = failure();
    INFO(error.message);
    CHECK(error.code == Errc::unauthorized);
    CHECK(error.message.find("self-signed certificate") != std::string::npos);
  }
  SECTION("without TLS at a TLS port, and the other way round") {
    options.host = "localhost";
    options.tls.reset();
    CHECK(failure().code != Errc::internal);
    Mosquitto plain;
    plain.start();
    options.port = plain.port();
    options.tls = mqtt::TlsOptions{broker.folder() + "/ca.pem", {}, {}, {}};
    options.timeout = 3s;
    CHECK(failure().code == Errc::unauthorized);
  }
}

TEST_CASE("a broker that wants a client's certificate gets it") {
  Mosquitto broker({}, std::string(kListener) + "require_certificate true\nuse_identity_as_username true\n");
  make_certificates(broker.folder());
  broker.start();
  TestLoop loop;
  auto options = options_for(broker);
  options.host = "localhost";
  options.tls = mqtt::TlsOptions{broker.folder() + "/ca.pem", {}, {}, {}};
  {
    Talker without(loop, options);
    REQUIRE(without.session->start());
    REQUIRE(loop.run_until([&] { return !without.failures.empty(); }));
    CHECK(without.failures[0].code == Errc::unauthorized);
  }
  options.tls->cert_file = broker.folder() + "/client.pem";
  options.tls->key_file = broker.folder() + "/server.key";
  const auto mismatch = Talker(loop, options).session->start();
  REQUIRE_FALSE(mismatch);
  CHECK(mismatch.error().message.find("server.key") != std::string::npos);
  options.tls->key_file = broker.folder() + "/client.key";
  Talker with(loop, options);
  with.connect();
}
