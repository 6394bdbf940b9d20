#include <set>

#include "mqtt_session_support.h"
#include "support/tcp_listener.h"

using namespace aiot;
using namespace aiot::test;
using mqtt::Version;

TEST_CASE("a broker's restart loses no message, and everything is subscribed again") {
  // mosquitto keeps the subscriber's session and its messages on disk: what is missing afterwards is the
  // publisher's fault.
  Mosquitto broker("persistence true\npersistence_location FOLDER/");
  broker.start();
  const auto version = GENERATE(Version::v311, Version::v5);
  const int qos = GENERATE(1, 2);
  const bool clean = GENERATE(true, false);
  TestLoop loop;
  auto options = options_for(broker, version);
  options.client_id = "subscriber";
  options.clean_start = false;
  Talker b(loop, options);
  b.connect();
  mqtt::SubscribeOptions exactly;
  exactly.qos = 2;
  REQUIRE(b.subscribe("t/#", exactly));
  options.client_id = "publisher";
  options.clean_start = clean;
  options.window = 20;
  Talker a(loop, options);
  a.connect();
  REQUIRE(a.subscribe("only/now", exactly));
  constexpr int kCount = 2000;
  int acknowledged = 0, sent = 0;
  const auto send = [&](int count) {
    for (int i = 0; i < count; ++i, ++sent)
      a.session->publish(make_message("t/1", std::to_string(sent), qos),
                         [&](const Result<void>& result) { acknowledged += result.has_value() ? 1 : 0; });
  };
  send(kCount / 2);
  REQUIRE(loop.run_until([&] { return acknowledged >= 100; }));
  broker.stop();
  REQUIRE(loop.run_until([&] { return !a.session->connected() && !b.session->connected(); }));
  REQUIRE(acknowledged < kCount / 2);
  send(kCount / 2);
  broker.start();
  REQUIRE(loop.run_until([&] { return acknowledged == kCount; }));
  std::map<int, int> arrived;
  const auto all = [&] {
    arrived.clear();
    for (const auto& message : b.messages) ++arrived[std::stoi(message.payload)];
    return arrived.size() == kCount;
  };
  REQUIRE(loop.run_until(all));
  if (qos == 2 && !clean) CHECK(b.messages.size() == kCount);  // exactly once
  CHECK(b.messages.size() <= kCount + 40);
  CHECK(a.connects == 2);
  CHECK(b.connects == 2);
  CHECK(a.session->counters().queued == 0);
  REQUIRE(b.publish(make_message("only/now", "", 2)));
  REQUIRE(a.gets(1));  // subscribed again, by itself
}

TEST_CASE("what a killed broker has forgotten is published anew") {
  Mosquitto broker;
  broker.start();
  TestLoop loop;
  auto options = options_for(broker);
  options.client_id = "publisher";
  options.clean_start = GENERATE(true, false);
  options.window = 10;
  Talker a(loop, options);
  a.connect();
  int acknowledged = 0;
  for (int i = 0; i < 1000; ++i)
    a.session->publish(make_message("t/" + std::to_string(i), "x", 2, true),
                       [&](const Result<void>& result) { acknowledged += result.has_value() ? 1 : 0; });
  REQUIRE(loop.run_until([&] { return acknowledged >= 100; }));
  const int before = acknowledged;
  broker.stop(SIGKILL);
  REQUIRE(loop.run_until([&] { return !a.session->connected(); }));
  broker.start();
  REQUIRE(loop.run_until([&] { return acknowledged == 1000; }));
  Talker b(loop, options_for(broker));
  b.connect();
  REQUIRE(b.subscribe("t/#"));
  // All that was acknowledged by this broker is retained there; the first one's acknowledgements may have
  // been on their way.
  REQUIRE(b.gets(static_cast<std::size_t>(1000 - before - 20)));
}

TEST_CASE("5,000 messages through a window of 10 are all acknowledged and arrive") {
  Mosquitto broker;
  broker.start();
  TestLoop loop;
  Talker b(loop, options_for(broker));
  b.connect();
  mqtt::SubscribeOptions exactly;
  exactly.qos = 2;
  REQUIRE(b.subscribe("t", exactly));
  auto options = options_for(broker);
  options.window = 10;
  options.max_queued = 100;
  Talker a(loop, options);
  a.connect();
  int sent = 0, acknowledged = 0, refused = 0;
  while (acknowledged < 5000) {
    bool full = false;
    while (sent < 5000 && !full) {
      const auto before = a.session->counters().failed;
      a.session->publish(make_message("t", std::to_string(sent), 1 + sent % 2),
                         [&](const Result<void>& result) { ++(result ? acknowledged : refused); });
      full = a.session->counters().failed > before;
      if (!full) ++sent;
      CHECK(a.session->counters().queued <= 100);
    }
    const int had = a.writable;
    REQUIRE(loop.run_until([&] { return a.writable > had || acknowledged == 5000; }));
  }
  CHECK(refused > 0);
  REQUIRE(b.gets(5000));
  std::set<std::string> different;
  for (const auto& message : b.messages) different.insert(message.payload);
  CHECK(different.size() == 5000);
  CHECK(b.messages.size() == 5000);
}

TEST_CASE("a received message is acknowledged only once it is stored") {
  Mosquitto broker("persistence true\npersistence_location FOLDER/");
  broker.start();
  const auto version = GENERATE(Version::v311, Version::v5);
  TestLoop loop;
  auto options = options_for(broker, version);
  options.client_id = "keeper";
  options.clean_start = false;
  Talker a(loop, options_for(broker));
  a.connect();
  {
    Talker b(loop, options);
    b.connect();
    CHECK_FALSE(b.present);
    REQUIRE(b.subscribe("q"));
    b.hold = true;
    REQUIRE(a.publish(make_message("q", "one", 1)));
    REQUIRE(b.gets(1));
    loop.run_for(100ms);
    // Gone with the message unstored, as killed.
  }
  {
    Talker b(loop, options);
    b.connect();
    CHECK(b.present);
    REQUIRE(b.gets(1));
    CHECK(b.messages[0].payload == "one");
    b.hold = true;
    REQUIRE(a.publish(make_message("q", "two", 1)));
    REQUIRE(b.gets(2));
    // Refused: it comes again with the next connection, by itself.
    b.hold = false;
    auto stored = std::move(b.held[0]);
    b.held.clear();
    stored(make_error(Errc::internal, "disk full"));
    REQUIRE(b.gets(3));
    CHECK(b.messages[2].payload == "two");
    CHECK(b.connects == 2);
    CHECK(b.failures[0].message.find("stored") != std::string::npos);
    // Late, but stored: acknowledged.
    b.hold = true;
    REQUIRE(a.publish(make_message("q", "three", 1)));
    REQUIRE(b.gets(4));
    loop.run_for(50ms);
    for (auto& held : b.held) held(Result<>());
    b.held.clear();
    b.hold = false;
    REQUIRE(b.publish(make_message("other", "", 1)));  // what follows the PUBACK has left
  }
  Talker b(loop, options);
  b.connect();
  REQUIRE(a.publish(make_message("q", "end", 1)));
  REQUIRE(b.gets(1));
  CHECK(b.messages[0].payload == "end");
}

TEST_CASE("a kept session gets what came while it was away, and needs no new subscription") {
  Mosquitto broker;
  broker.start();
  const auto version = GENERATE(Version::v311, Version::v5);
  TestLoop loop;
  auto options = options_for(broker, version);
  options.client_id = "kept";
  options.clean_start = false;
  options.expiry = 60s;
  {
    Talker b(loop, options);
    b.connect();
    REQUIRE(b.subscribe("k/#"));
  }
  Talker a(loop, options_for(broker));
  a.connect();
  REQUIRE(a.publish(make_message("k/1", "while away", 1)));
  Talker b(loop, options);
  b.connect();
  REQUIRE(b.gets(1));
  CHECK(b.present);
  CHECK(b.messages[0].payload == "while away");
}

TEST_CASE("a broker that knows only 3.1.1 is spoken to in 3.1.1") {
  // mosquitto cannot be told so: a server that answers CONNECT as the standards say (section 3.2.2.3).
  const TcpListener listener;
  const bool says_so = GENERATE(true, false);
  TestLoop loop;
  mqtt::SessionOptions options;
  options.host = "127.0.0.1";
  options.port = listener.port();
  Talker talker(loop, options);
  REQUIRE(talker.session->start());
  std::vector<int> versions;
  int open = -1;
  REQUIRE(loop.run_until([&] {
    if (open < 0) open = listener.accept();
    char packet[256];
    const auto got = open < 0 ? -1 : read(open, packet, sizeof packet);
    if (got > 8) {
      versions.push_back(packet[8]);
      const char refuse[] = {0x20, 2, 0, 1}, accept[] = {0x20, 2, 0, 0};
      if (versions.back() == 4) {
        CHECK(write(open, accept, 4) == 4);
      } else {
        if (says_so) CHECK(write(open, refuse, 4) == 4);
        close(open);
        open = -1;
      }
    }
    return talker.session->connected();
  }));
  CHECK(versions == std::vector<int>{5, 4});
  CHECK(talker.session->version() == Version::v311);
  CHECK(talker.failures.empty());
  close(open);
}

TEST_CASE("what is not MQTT ends the connection, not the program") {
  const TcpListener listener;
  TestLoop loop;
  mqtt::SessionOptions options;
  options.host = "127.0.0.1";
  options.port = listener.port();
  options.version = GENERATE(Version::v5, Version::v311);
  const std::string nonsense =
      GENERATE(std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("\x20\xff\xff\xff\xff\xff"),
               std::string("\x30\x05\0\1tx", 6));
  Talker talker(loop, options);
  REQUIRE(talker.session->start());
  int open = -1;
  REQUIRE(loop.run_until([&] {
    if (open < 0) {
      open = listener.accept();
      if (open >= 0) {
        CHECK(write(open, nonsense.data(), nonsense.size()) > 0);
        shutdown(open, SHUT_WR);
      }
    }
    return !talker.failures.empty();
  }));
  CHECK((talker.failures[0].code == Errc::peer_failed || talker.failures[0].code == Errc::unreachable));
  close(open);
}
