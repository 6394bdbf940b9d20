#include "daemon/broker/access.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "core/ws/address_counts.h"
#include "daemon/access/token.h"
#include "daemon/broker/attempt_limits.h"
#include "daemon/broker/login_page.h"
#include "support/temporary_folder.h"

using namespace aiot;
using namespace aiot::broker;
using namespace std::chrono_literals;

namespace {

const SocketAddress kLoopback = *SocketAddress::parse("127.0.0.1:8000");
const SocketAddress kEverywhere = *SocketAddress::parse("0.0.0.0:8000");
const WallTime kNow = WallTime(std::chrono::hours(500'000));

/// The files of a broker, and who is who there.
struct World : test::TemporaryFolder {
  std::string file = path + "/users", keys = path + "/keys";
  AccessOptions options;
  std::string secret = access::make_secret();

  World() {
    options.file = file;
    REQUIRE(wire::create_key_file(keys));
  }
  void change(const UniqueFunction<void(access::Contents&)>& how) const {
    REQUIRE(access::change_access_file(file, [&](access::Contents& contents) -> Result<void> {
      how(contents);
      return {};
    }));
  }
  void add_token(access::Token token) const {
    token.id = "t1";
    token.hash = access::digest(secret);
    change([&](access::Contents& contents) { contents.tokens.push_back(token); });
  }
  void add_user(const std::string& name, Role role) const {
    change([&](access::Contents& contents) { contents.users.push_back({name, role, "p", kNow}); });
  }
  [[nodiscard]] Access access(const SocketAddress& listen = kLoopback) const {
    return {options, keys, listen};
  }
  [[nodiscard]] ws::Headers bearer() const { return {{"authorization", "Bearer " + secret}}; }
};

ws::UpgradeRequest gateway_request(const std::string& token) {
  ws::UpgradeRequest out;
  out.path = "/gw";
  out.subprotocols = {"aiot.gateway.v1"};
  out.headers = {{"authorization", "Bearer " + token}};
  return out;
}

access::Token viewer() {
  access::Token out;
  out.role = Role::viewer;
  return out;
}

}  // namespace

TEST_CASE("a broker on loopback without users and tokens is open, one beyond refuses to start") {
  World world;
  auto on_loopback = world.access();
  REQUIRE(on_loopback.open());
  CHECK(on_loopback.is_open());
  CHECK(on_loopback.identify({}, false, {}, kNow)->role == Role::admin);
  const auto refused = world.access(kEverywhere).open();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::usage);
  CHECK_THAT(refused.error().message, Catch::Contains("0.0.0.0:8000") && Catch::Contains("--insecure") &&
                                          Catch::Contains("aiot users add"));
  world.options.legacy_listen = *SocketAddress::parse("0.0.0.0:8082");
  CHECK_THAT(world.access().open().error().message, Catch::Contains("0.0.0.0:8082"));
  world.options.legacy_listen.reset();
  world.options.proxied = true;
  CHECK_THAT(world.access().open().error().message, Catch::Contains("127.0.0.1:8000"));
}

TEST_CASE("what lets a broker beyond loopback start says what those may who say nothing") {
  World world;
  const auto anonymous = [&] {
    auto access = world.access(kEverywhere);
    REQUIRE(access.open());
    return access.anonymous();
  };
  world.options.insecure = true;
  CHECK(anonymous() == Role::admin);
  world.options = {};
  world.options.file = world.file;
  world.options.anonymous = Role::viewer;
  CHECK(anonymous() == Role::viewer);
  world.options.anonymous = Role::none;
  CHECK(anonymous() == Role::none);
  world.options.anonymous.reset();
  world.options.setup_link = true;
  CHECK(anonymous() == Role::none);
  world.options.setup_link = false;
  world.add_user("ada", Role::admin);
  CHECK(anonymous() == Role::none);
  world.options.insecure = true;
  CHECK(anonymous() == Role::none);
}

TEST_CASE("the first token closes an open broker, and its end opens nothing") {
  World world;
  auto access = world.access();
  REQUIRE(access.open());
  const Principal before = *access.identify({}, false, {}, kNow);
  world.add_token(viewer());
  CHECK(access.refresh(false, {}));
  CHECK_FALSE(access.refresh(false, {}));
  CHECK_FALSE(access.holds(before, kNow));
  CHECK(access.identify({}, false, {}, kNow)->role == Role::none);
  const Principal known = *access.identify(world.bearer(), false, {}, kNow);
  CHECK(known.kind == Principal::Kind::token);
  CHECK(known.role == Role::viewer);
  CHECK(access.holds(known, kNow));
  world.change([](access::Contents& contents) { contents.tokens.clear(); });
  CHECK(access.refresh(false, {}));
  CHECK_FALSE(access.holds(known, kNow));
  CHECK(access.identify(world.bearer(), false, {}, kNow).error().code == Errc::unauthorized);
  CHECK(access.identify({}, false, {}, kNow)->role == Role::none);
}

TEST_CASE("a token is good until it expires, and as long as its role and scope stay") {
  World world;
  auto token = viewer();
  token.expires = kNow + 10s;
  token.scope = {{"n1"}, {}};
  world.add_token(token);
  auto access = world.access();
  REQUIRE(access.open());
  const Principal known = *access.identify(world.bearer(), false, {}, kNow);
  CHECK(known.scope == token.scope);
  CHECK(access.holds(known, kNow + 9s));
  CHECK_FALSE(access.holds(known, kNow + 10s));
  CHECK_THAT(access.identify(world.bearer(), false, {}, kNow + 10s).error().message,
             Catch::Contains("expired"));
  world.change([](access::Contents& contents) { contents.tokens[0].scope = {}; });
  access.refresh(false, {});
  CHECK_FALSE(access.holds(known, kNow));
}

TEST_CASE("a users file that cannot be read changes nothing") {
  World world;
  world.add_token(viewer());
  auto access = world.access();
  REQUIRE(access.open());
  std::ofstream(world.file) << "{";
  CHECK_FALSE(access.refresh(false, {}));
  CHECK(access.identify(world.bearer(), false, {}, kNow));
  CHECK_FALSE(world.access().open());
}

TEST_CASE("a login ends with its user, password, role and time") {
  World world;
  world.add_user("ada", Role::operator_);
  auto access = world.access();
  REQUIRE(access.open());
  const TimePoint begin{};
  const auto cookie = [&](const std::string& secret, bool secure = false) {
    return ws::Headers{{"cookie", "a=b; " + std::string(login_cookie(secure)) + "=" + secret}};
  };
  const std::string secret = access.logins().begin("ada", access.proof_of_user("ada"), begin);
  const auto who = access.identify(cookie(secret), false, begin, kNow);
  REQUIRE(who);
  CHECK(who->kind == Principal::Kind::user);
  CHECK(who->role == Role::operator_);
  CHECK(who->label() == "user ada");
  CHECK(access.identify(cookie("x"), false, begin, kNow)->role == Role::none);
  // Over TLS only the cookie that a page without it cannot set.
  CHECK(access.identify(cookie(secret), true, begin, kNow)->role == Role::none);
  CHECK(access.identify(cookie(secret, true), true, begin, kNow)->role == Role::operator_);
  CHECK(access.holds(*who, kNow));
  SECTION("unused for long") {
    CHECK(access.identify(cookie(secret), false, begin + Logins::kIdle + 1s, kNow)->role == Role::none);
    CHECK_FALSE(access.holds(*who, kNow));
  }
  SECTION("after the longest time, used or not") {
    for (Duration at{}; at < Logins::kLongest; at += Logins::kIdle / 2)
      access.logins().touch(who->id, begin + at);
    access.refresh(false, begin + Logins::kLongest + 1s);
    CHECK_FALSE(access.holds(*who, kNow));
  }
  SECTION("another role") {
    world.change([](access::Contents& contents) { contents.users[0].role = Role::viewer; });
    access.refresh(false, begin);
    CHECK_FALSE(access.holds(*who, kNow));
  }
  SECTION("removed, and another of the name added") {
    world.change([](access::Contents& contents) { contents.users[0].password = "q"; });
    access.refresh(false, begin);
    CHECK_FALSE(access.holds(*who, kNow));
  }
}

TEST_CASE("logins are bounded, for each and for all") {
  Logins logins;
  const TimePoint begin{};
  std::string first = logins.begin("ada", "p", begin);
  for (std::size_t i = 1; i <= Logins::kMaxPerUser; ++i) (void)logins.begin("ada", "p", begin + i * 1s);
  CHECK(logins.size() == Logins::kMaxPerUser);
  CHECK(logins.use(first, begin + 1h).empty());
  for (std::size_t i = 0; i < Logins::kMax; ++i) (void)logins.begin(std::to_string(i), "p", begin + 2h);
  CHECK(logins.size() == Logins::kMax);
}

TEST_CASE(
    "gateways prove themselves by keys, the pair before and tokens of their own, and all can be ended") {
  World world;
  auto access = world.access();
  REQUIRE(access.open());
  const auto old_keys = *wire::read_key_file(world.keys);
  const auto paris = gateway_request(*wire::gateway_token(old_keys, "paris", kNow));
  const auto by_keys = access.admit(paris, kNow);
  REQUIRE(by_keys);
  CHECK(by_keys->principal.id == "current keys");
  CHECK(access.holds(by_keys->principal, kNow));

  REQUIRE(wire::rotate_key_file(world.keys));
  CHECK(access.refresh(false, {}));
  CHECK(access.holds(by_keys->principal, kNow));
  CHECK(access.admit(paris, kNow)->principal.id == "previous keys");
  const auto new_paris =
      gateway_request(*wire::gateway_token(*wire::read_key_file(world.keys), "paris", kNow));
  CHECK(access.admit(new_paris, kNow)->principal.id == "current keys");
  REQUIRE(wire::retire_key_file(world.keys));
  access.refresh(false, {});
  CHECK_FALSE(access.holds(by_keys->principal, kNow));
  CHECK_FALSE(access.admit(paris, kNow));
  const auto renewed = access.admit(new_paris, kNow);
  REQUIRE(renewed);

  world.change([](access::Contents& contents) { contents.revoked.push_back({"paris", kNow}); });
  access.refresh(false, {});
  CHECK_FALSE(access.holds(renewed->principal, kNow));
  CHECK_THAT(access.admit(new_paris, kNow).error().message, Catch::Contains("revoked"));
  const auto later =
      gateway_request(*wire::gateway_token(*wire::read_key_file(world.keys), "paris", kNow + 1min));
  CHECK(access.admit(later, kNow));

  access::Token bound;
  bound.gateway = "rome";
  world.add_token(bound);
  access.refresh(false, {});
  const auto rome = access.admit(gateway_request(world.secret), kNow);
  REQUIRE(rome);
  CHECK(rome->principal.name == "rome");
  CHECK(rome->principal.id == "token t1");
  CHECK(access.holds(rome->principal, kNow));
  world.change([](access::Contents& contents) { contents.tokens.clear(); });
  access.refresh(false, {});
  CHECK_FALSE(access.holds(rome->principal, kNow));
}

TEST_CASE("a client's token is no gateway's") {
  World world;
  auto token = viewer();
  token.role = Role::admin;
  world.add_token(token);
  auto access = world.access();
  REQUIRE(access.open());
  CHECK(access.admit(gateway_request(world.secret), kNow).error().code == Errc::unauthorized);
}

TEST_CASE("the token that pyaiot's gateways share can be refused") {
  World world;
  ws::UpgradeRequest request;
  request.path = "/gw";
  request.subprotocols = {"token", *wire::pyaiot_token(*wire::read_key_file(world.keys), kNow)};
  auto access = world.access();
  REQUIRE(access.open());
  const auto shared = access.admit(request, kNow);
  REQUIRE(shared);
  CHECK(access.holds(shared->principal, kNow));
  world.options.shared_token = false;
  auto strict = world.access();
  REQUIRE(strict.open());
  CHECK(strict.admit(request, kNow).error().code == Errc::unauthorized);
}

TEST_CASE("attempts are bounded in a row and in the long run") {
  AttemptLimits limits({3, 10s});
  const TimePoint now = TimePoint() + 1h;
  for (int i = 0; i < 3; ++i) CHECK(limits.take("a", now) == Duration::zero());
  CHECK(limits.take("a", now) == 10s);
  CHECK(limits.take("b", now) == Duration::zero());
  CHECK(limits.take("a", now + 4s) == 6s);
  CHECK(limits.take("a", now + 10s) == Duration::zero());
  CHECK(limits.take("a", now + 10s) > Duration::zero());
  limits.forgive("a");
  CHECK(limits.take("a", now + 10s) == Duration::zero());
}

TEST_CASE("attempts from everywhere at once are counted together, within bounds") {
  AttemptLimits limits({2, 10s});
  const TimePoint now = TimePoint() + 1h;
  for (std::size_t i = 0; i < AttemptLimits::kMaxKnown; ++i) (void)limits.take("a" + std::to_string(i), now);
  unsigned passed = 0;
  for (int i = 0; i < 100; ++i)
    passed += limits.take("b" + std::to_string(i), now) == Duration::zero() ? 1 : 0;
  CHECK(passed <= 2);
  CHECK(limits.size() <= AttemptLimits::kMaxKnown + 1);
  CHECK(limits.take("c", now + 1min) == Duration::zero());
  CHECK(limits.size() < 10);
}

TEST_CASE("a subscriber's IPv6 network is one") {
  const auto of = [](const char* text) { return ws::subscriber_of(*SocketAddress::parse(text)).host(); };
  CHECK(of("[2001:db8::1]:1") == of("[2001:db8::ffff:2]:2"));
  CHECK(of("[2001:db8::1]:1") != of("[2001:db8:0:1::1]:1"));
  CHECK(of("192.0.2.1:1") == of("192.0.2.1:2"));
  CHECK(of("192.0.2.1:1") != of("192.0.2.2:1"));
  CHECK(of("[::ffff:192.0.2.1]:1") != of("[::ffff:192.0.2.2]:1"));
}

TEST_CASE("where a login leads is a page of this broker") {
  for (const char* good : {"/", "/nodes/n1?a=b", "/#x"}) CHECK(safe_path(good) == good);
  for (const char* bad : {"", "nodes", "//evil.example", "/\\evil.example", "https://evil.example", "/a b",
                          "/a\r\nset-cookie: x"}) {
    CHECK(safe_path(bad) == "/");
  }
}

TEST_CASE("a login page shows what was asked for, and runs nothing of it") {
  const auto page = login_page(401, "/\"><script>", "<b>");
  CHECK(page.body.find("<script") == std::string::npos);
  CHECK(page.body.find("<b>") == std::string::npos);
  CHECK(page.body.find("&lt;b&gt;") != std::string::npos);
}
