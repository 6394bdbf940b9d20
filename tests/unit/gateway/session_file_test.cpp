#include "daemon/gateway/session_file.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "daemon/gateway/node_file.h"
#include "daemon/gateway/session_store.h"
#include "support/temporary_folder.h"
#include "support/test_loop.h"

namespace aiot::gateway {
namespace {

using namespace std::chrono_literals;
using mqttsn::InFlight;
using mqttsn::Message;
using mqttsn::Session;
using mqttsn::SessionChange;
using Kind = SessionChange::Kind;

Session example(const std::string& id = "c 1\"") {
  Session session;
  session.client_id = id;
  session.peer = {*SocketAddress::parse("[fe80::1]:40000"), std::string("\x01\x02")};
  session.state = Session::State::asleep;
  session.clean = false;
  session.keep_alive = 90s;
  session.will = Message{"will", std::string("\xff\x00", 2), 2, true};
  session.subscriptions = {{"a/+", 1}, {"#", 2}};
  session.topics.restore(3, "a/b", true);
  session.topics.restore(4, "a/ü", false);
  session.unreleased = {7, 65535};
  session.publish_id = 12;
  session.last_message_id = 12;
  session.queue = {Message{"a/b", "1", 1, false}, Message{"a/b", "two", 2, true}};
  session.queued_bytes = 10;
  return session;
}

void check_same(const Session& a, const Session& b) {
  CHECK(a.peer == b.peer);
  CHECK(a.state == b.state);
  CHECK(a.clean == b.clean);
  CHECK(a.keep_alive == b.keep_alive);
  CHECK(a.will == b.will);
  CHECK(a.subscriptions == b.subscriptions);
  CHECK(a.topics.all() == b.topics.all());
  for (const auto& [id, name] : a.topics.all()) CHECK(a.topics.known(id) == b.topics.known(id));
  CHECK(a.unreleased == b.unreleased);
  CHECK(a.publish_id == b.publish_id);
  CHECK(a.last_message_id == b.last_message_id);
  CHECK(a.queue == b.queue);
  CHECK(a.queued_bytes == b.queued_bytes);
}

TEST_CASE("A session comes back from its file whole") {
  const auto session = example();
  std::string text = session_file_head();
  append_session(text, session);
  const auto file = parse_session_file(text);
  REQUIRE(file);
  REQUIRE(file->sessions.size() == 1);
  check_same(file->sessions.at(session.client_id), session);
  CHECK(file->whole == text.size());
}

TEST_CASE("Changes add up to the session as it is") {
  auto session = example("c");
  std::string text = session_file_head();
  append_session(text, session);
  session.queue.push_back(Message{"x", "3", 1, false});
  append_change(text, session, {Kind::queued});
  session.queue.pop_front();
  session.publish_id = 0;
  append_change(text, session, {Kind::dequeued});
  session.queued_bytes = 3 + 3 + 1 + 1;
  session.unreleased.erase(7);
  append_change(text, session, {Kind::released, 7});
  session.topics.set_known(4, true);
  append_change(text, session, {Kind::topic, 4});
  auto file = parse_session_file(text);
  REQUIRE(file);
  check_same(file->sessions.at("c"), session);
  session.in_flight.step = InFlight::Step::pubrel;
  session.in_flight.message_id = 99;
  append_change(text, session, {Kind::session});
  file = parse_session_file(text);
  CHECK(file->sessions.at("c").in_flight.message_id == 99);
  append_change(text, session, {Kind::cleared});
  file = parse_session_file(text);
  CHECK(file->sessions.at("c").queue.empty());
  CHECK(file->sessions.at("c").unreleased.empty());
  CHECK(file->sessions.at("c").in_flight.step == InFlight::Step::none);
  CHECK(file->sessions.at("c").publish_id == 0);
  CHECK_FALSE(file->sessions.at("c").topics.known(4));
  append_change(text, session, {Kind::gone});
  CHECK(parse_session_file(text)->sessions.empty());
}

TEST_CASE("A client with all the subscriptions it may have does no harm to the file") {
  auto session = example("c");
  session.displaced = true;
  session.subscriptions.clear();
  for (int i = 1000; i < 2024; ++i) session.subscriptions[std::to_string(i) + std::string(1020, '\x01')] = 1;
  std::string text = session_file_head();
  append_session(text, session);
  const auto file = parse_session_file(text);
  REQUIRE(file);
  check_same(file->sessions.at("c"), session);
  CHECK(file->sessions.at("c").displaced);
}

TEST_CASE("A message that expires, or is of QoS 0, is not saved") {
  auto session = example("c");
  session.queue = {Message{"a", "1", 0, false}, Message{"a", "2", 1, false, TimePoint(1s)}};
  std::string text = session_file_head();
  append_session(text, session);
  CHECK(parse_session_file(text)->sessions.at("c").queue.empty());
}

TEST_CASE("A line cut by a crash is left out, a damaged one is named") {
  std::string text = session_file_head();
  append_session(text, example("c"));
  const auto whole = text.size();
  const auto file = parse_session_file(text + R"({"client":"c","chan)");
  REQUIRE(file);
  CHECK(file->whole == whole);
  for (const char* bad :
       {"x\n", "[]\n", "{}\n", "{\"client\":\"c\",\"change\":99}\n", "{\"client\":\"c\",\"change\":1}\n",
        "{\"client\":\"d\",\"change\":3}\n", "{\"client\":\"c\",\"change\":0,\"address\":\"x\"}\n"}) {
    const auto damaged = parse_session_file(text + bad);
    REQUIRE_FALSE(damaged);
    CHECK(damaged.error().message.find("line 9") != std::string::npos);
  }
  CHECK_FALSE(parse_session_file("{\"aiot\":\"gateway MQTT-SN sessions\",\"version\":9}\n"));
  CHECK_FALSE(parse_session_file("{\"aiot\":\"gateway nodes\",\"version\":1}\n"));
  CHECK(parse_session_file("")->sessions.empty());
}

TEST_CASE(
    "The store keeps changes, makes its file short again without losing any, and sets a damaged one aside") {
  test::TestLoop loop;
  const test::TemporaryFolder folder;
  auto session = example("c");
  session.queue.clear();
  session.queued_bytes = 0;
  session.unreleased.clear();
  const std::string path = folder.path + "/sessions.jsonl";
  {
    SessionStore store(loop.loop(), folder.path);
    REQUIRE(store.load());
    store.changed(session, {Kind::session});
    for (std::uint16_t i = 1; i <= 10'500; ++i) {
      store.changed(session, {Kind::unreleased, i});
      store.changed(session, {Kind::released, i});
      store.flush();
    }
    const auto longest = std::filesystem::file_size(path);
    std::uint16_t next = 0;
    // Changes go on while it is made short.
    CHECK(loop.run_until([&] {
      store.changed(session, {Kind::unreleased, ++next});
      store.changed(session, {Kind::released, next});
      store.flush();
      return std::filesystem::file_size(path) < longest / 2;
    }));
    store.changed(session, {Kind::unreleased, 5});
    store.flush();
  }
  {
    SessionStore store(loop.loop(), folder.path);
    auto file = store.load();
    REQUIRE(file);
    CHECK(file->sessions.at("c").unreleased == std::set<std::uint16_t>{5});
  }
  std::ofstream(path) << "damaged\n";
  SessionStore store(loop.loop(), folder.path);
  auto file = store.load();
  REQUIRE(file);
  CHECK(file->sessions.empty());
  CHECK(*read_file(path + ".damaged") == "damaged\n");
  CHECK(parse_session_file(*read_file(path)));
}

}  // namespace
}  // namespace aiot::gateway
