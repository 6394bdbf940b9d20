#include "mqtt_session_support.h"
#include "support/tcp_listener.h"

using namespace aiot;
using namespace aiot::test;
using mqtt::Version;

namespace {

constexpr const char* kDynamicSecurity =
    "plugin /usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so\n"
    "plugin_opt_config_file FOLDER/dynsec.json\n";
/// Everybody may use ok/# and nothing else.
constexpr const char* kOnlyOk = R"({
  "defaultACLAccess": {"publishClientSend": false, "publishClientReceive": true, "subscribe": false,
                       "unsubscribe": true},
  "roles": [{"rolename": "some", "acls": [
    {"acltype": "publishClientSend", "topic": "ok/#", "allow": true},
    {"acltype": "subscribePattern", "topic": "ok/#", "allow": true}]}],
  "groups": [{"groupname": "all", "roles": [{"rolename": "some"}], "clients": []}],
  "clients": [], "anonymousGroup": "all"})";

}  // namespace

TEST_CASE("messages of every QoS arrive, in both versions") {
  Mosquitto broker;
  broker.start();
  for (const auto version : {Version::v311, Version::v5, Version::automatic}) {
    TestLoop loop;
    Talker a(loop, options_for(broker, version)), b(loop, options_for(broker, version));
    a.connect();
    b.connect();
    CHECK(a.session->version() == (version == Version::v311 ? Version::v311 : Version::v5));
    mqtt::SubscribeOptions exactly;
    exactly.qos = 2;
    REQUIRE(b.subscribe("t/+", exactly));
    const std::string bytes("\0\xff\n", 3);
    for (int qos = 0; qos <= 2; ++qos) {
      REQUIRE(a.publish(make_message("t/a", bytes, qos)));
      REQUIRE(b.gets(static_cast<std::size_t>(qos) + 1));
    }
    REQUIRE(a.publish(make_message("t/empty", "", 1)));
    REQUIRE(b.gets(4));
    for (int qos = 0; qos <= 2; ++qos) {
      CHECK(b.messages[static_cast<std::size_t>(qos)].qos == qos);
      CHECK(b.messages[static_cast<std::size_t>(qos)].payload == bytes);
      CHECK_FALSE(b.messages[static_cast<std::size_t>(qos)].retain);
    }
    CHECK(b.messages[3].topic == "t/empty");
    CHECK(b.messages[3].payload.empty());
    const auto counters = a.session->counters();
    CHECK(counters.published == 4);
    CHECK(counters.acknowledged == 4);
    CHECK(counters.queued == 0);
    CHECK(b.session->counters().received == 4);
  }
}

TEST_CASE("properties of MQTT 5 arrive as they were given, and are left out in 3.1.1") {
  Mosquitto broker;
  broker.start();
  TestLoop loop;
  Talker old(loop, options_for(broker, Version::v311)), a(loop, options_for(broker)),
      b(loop, options_for(broker));
  for (auto* talker : {&old, &a, &b}) talker->connect();
  REQUIRE(b.subscribe("p"));
  auto message = make_message("p", "x", 1);
  message.content_type = "text/plain";
  message.response_topic = "answers";
  message.correlation_data = std::string("\0\1", 2);
  message.expiry = 60s;
  message.user_properties = {{"k", "v"}, {"k", "w"}, {"ü", ""}};
  REQUIRE(a.publish(message));
  REQUIRE(old.publish(message));
  REQUIRE(b.gets(2));
  const auto& got = b.messages[0];
  CHECK(got.content_type == "text/plain");
  CHECK(got.response_topic == "answers");
  CHECK(got.correlation_data == message.correlation_data);
  CHECK(got.expiry.has_value());
  CHECK(got.user_properties == message.user_properties);
  CHECK(b.messages[1].user_properties.empty());

  message.user_properties = {{"k", "\xff"}};
  const auto bad = a.publish(message);
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == Errc::usage);
}

TEST_CASE("retained messages come to new subscribers unless they want none") {
  Mosquitto broker;
  broker.start();
  TestLoop loop;
  Talker a(loop, options_for(broker));
  a.connect();
  REQUIRE(a.publish(make_message("r/1", "kept", 1, true)));
  for (const auto version : {Version::v311, Version::v5}) {
    Talker all(loop, options_for(broker, version)), news(loop, options_for(broker, version));
    all.connect();
    news.connect();
    mqtt::SubscribeOptions none;
    none.retained = false;
    REQUIRE(all.subscribe("r/#"));
    REQUIRE(news.subscribe("r/#", none));
    REQUIRE(all.gets(1));
    CHECK(all.messages[0].retain);
    CHECK(all.messages[0].payload == "kept");
    REQUIRE(a.publish(make_message("r/2", "new", 1)));
    REQUIRE(news.gets(1));
    CHECK(news.messages[0].payload == "new");
  }
}

TEST_CASE("the will is published when the connection is lost, not after a DISCONNECT") {
  Mosquitto broker;
  broker.start();
  TestLoop loop;
  Talker watcher(loop, options_for(broker));
  watcher.connect();
  REQUIRE(watcher.subscribe("will/#"));
  auto options = options_for(broker);
  options.client_id = "mortal";
  options.will = make_message("will/1", "gone", 1);
  options.will->user_properties = {{"why", "lost"}};
  {
    Talker orderly(loop, options);
    orderly.connect();
  }
  Talker first(loop, options);
  first.connect();
  options.will.reset();
  Talker second(loop, options);
  second.connect();  // takes the session over: the first one's connection is cut
  REQUIRE(watcher.gets(1));
  CHECK(watcher.messages[0].payload == "gone");
  CHECK(watcher.messages[0].user_properties.size() == 1);
  REQUIRE(loop.run_until([&] { return !first.failures.empty(); }));
  CHECK(first.failures[0].code == Errc::unreachable);
}

TEST_CASE("failures say what they are") {
  TestLoop loop;
  SECTION("nobody listens") {
    mqtt::SessionOptions options;
    options.host = "localhost";  // two addresses, both refuse
    options.port = Mosquitto::free_port();
    options.retry = false;
    Talker talker(loop, options);
    REQUIRE(talker.session->start());
    const auto refused = talker.publish(make_message("t", "x", 1));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unreachable);
    CHECK(refused.error().message.find("localhost") != std::string::npos);
    REQUIRE(talker.failures.size() == 1);
  }
  SECTION("somebody accepts and says nothing") {
    const TcpListener listener;
    mqtt::SessionOptions options;
    options.host = "127.0.0.1";
    options.port = listener.port();
    options.timeout = 200ms;
    options.retry = false;
    Talker talker(loop, options);
    REQUIRE(talker.session->start());
    REQUIRE(loop.run_until([&] { return !talker.failures.empty(); }));
    CHECK(talker.failures[0].code == Errc::timeout);
  }
  SECTION("the password is wrong") {
    Mosquitto broker("allow_anonymous false\npassword_file FOLDER/passwords");
    broker.write_file("passwords", "");
    REQUIRE(std::system(("mosquitto_passwd -b " + broker.folder() + "/passwords anna right").c_str()) == 0);
    broker.start();
    for (const auto version : {Version::v311, Version::automatic}) {
      auto options = options_for(broker, version);
      options.user = "anna";
      options.password = "wrong";
      Talker talker(loop, options);
      REQUIRE(talker.session->start());
      REQUIRE(loop.run_until([&] { return !talker.failures.empty(); }));
      CHECK(talker.failures[0].code == Errc::unauthorized);
      options.password = "right";
      Talker good(loop, options);
      good.connect();
    }
  }
  SECTION("a subscription is refused, and a message") {
    // acl_file refuses no subscription; the plug-in that comes with mosquitto does.
    Mosquitto broker(kDynamicSecurity);
    broker.write_file("dynsec.json", kOnlyOk);
    broker.start();
    Talker talker(loop, options_for(broker));
    talker.connect();
    REQUIRE(talker.subscribe("ok/#"));
    const auto refused = talker.subscribe("secret/#");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::rejected);
    CHECK(refused.error().message.find("secret/#") != std::string::npos);
    CHECK(refused.error().native >= 0x80);
    const auto unsent = talker.publish(make_message("secret/1", "x", 1));
    REQUIRE_FALSE(unsent);
    CHECK(unsent.error().code == Errc::unauthorized);
    CHECK(unsent.error().native == 0x87);
    CHECK(talker.session->counters().failed == 1);
    REQUIRE(talker.publish(make_message("ok/1", "x", 2)));
    REQUIRE(talker.gets(1));
  }
  SECTION("what cannot be asked") {
    Mosquitto broker;
    broker.start();
    Talker talker(loop, options_for(broker));
    talker.connect();
    for (const auto* topic : {"a/+", "", "#"})
      CHECK(talker.publish(make_message(topic, "x")).error().code == Errc::usage);
    CHECK(talker.publish(make_message("a", "x", 3)).error().code == Errc::usage);
    CHECK(talker.subscribe("a#").error().code == Errc::usage);
    auto options = options_for(broker);
    options.keep_alive = 1s;
    CHECK(Talker(loop, options).session->start().error().code == Errc::usage);
    options = options_for(broker);
    options.clean_start = false;
    CHECK(Talker(loop, options).session->start().error().code == Errc::usage);
    options = options_for(broker);
    options.tls = mqtt::TlsOptions{"/nonexistent/ca.pem", {}, {}, {}};
    const auto no_file = Talker(loop, options).session->start();
    REQUIRE_FALSE(no_file);
    CHECK(no_file.error().code == Errc::internal);
    CHECK(no_file.error().message.find("/nonexistent/ca.pem") != std::string::npos);
  }
}

TEST_CASE("a message above what the broker or the session accepts is refused or dropped, and counted") {
  Mosquitto broker("max_packet_size 2000");
  broker.start();
  TestLoop loop;
  auto options = options_for(broker);
  options.max_packet = 1000;
  Talker small(loop, options),
      old(loop,
          [&] {
            auto out = options;
            out.version = Version::v311;
            return out;
          }()),
      sender(loop, options_for(broker));
  for (auto* talker : {&small, &old, &sender}) talker->connect();
  REQUIRE(small.subscribe("m"));
  REQUIRE(old.subscribe("m"));
  const auto large = sender.publish(make_message("m", std::string(3000, 'x'), 1));
  REQUIRE_FALSE(large);
  CHECK(large.error().code == Errc::usage);
  REQUIRE(sender.publish(make_message("m", std::string(1500, 'x'), 1)));
  REQUIRE(sender.publish(make_message("m", "fits", 1)));
  REQUIRE(small.gets(1));
  REQUIRE(old.gets(1));
  CHECK(small.messages[0].payload == "fits");
  CHECK(old.messages[0].payload == "fits");
  CHECK(old.session->counters().dropped == 1);
}

TEST_CASE("a stopped session has sent everything, and says DISCONNECT") {
  Mosquitto broker;
  broker.start();
  TestLoop loop;
  Talker b(loop, options_for(broker));
  b.connect();
  REQUIRE(b.subscribe("#"));
  auto options = options_for(broker);
  options.will = make_message("will", "x");
  options.window = 10;
  Talker a(loop, options);
  REQUIRE(a.session->start());
  int acknowledged = 0;
  for (int i = 0; i < 1000; ++i)
    a.session->publish(make_message("t", std::to_string(i), i % 3),
                       [&](const Result<void>& result) { acknowledged += result.has_value() ? 1 : 0; });
  bool stopped = false;
  a.session->stop(10s, [&](const Result<void>&) { stopped = true; });
  REQUIRE(loop.run_until([&] { return stopped; }));
  CHECK(acknowledged == 1000);
  REQUIRE(b.gets(1000));
  REQUIRE(b.publish(make_message("last", "")));
  REQUIRE(b.gets(1001));
  CHECK(b.messages.back().topic == "last");  // and no will
  std::map<int, int> next;
  for (const auto& message : b.messages)
    if (message.topic == "t") {
      const int number = std::stoi(message.payload);
      CHECK(number >= next[number % 3]);  // in order, each QoS for itself
      next[number % 3] = number;
    }

  SECTION("with nobody there, at its deadline") {
    broker.stop();
    Talker c(loop, options_for(broker));
    REQUIRE(c.session->start());
    std::optional<Errc> failed;
    c.session->publish(make_message("t", "x", 1),
                       [&](const Result<void>& result) { failed = result.error().code; });
    stopped = false;
    c.session->stop(200ms, [&](const Result<void>&) { stopped = true; });
    REQUIRE(loop.run_until([&] { return stopped; }));
    CHECK(failed == Errc::unreachable);
  }
}
