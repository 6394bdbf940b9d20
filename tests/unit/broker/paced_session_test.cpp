#include "daemon/broker/paced_session.h"

#include <catch2/catch.hpp>
#include <vector>

#include "core/loop/fake_loop.h"

using namespace aiot;
using namespace aiot::broker;
using namespace std::chrono_literals;

namespace {

class Connection final : public ws::WsConnection {
 public:
  void send_text(std::string_view) override {}
  void set_source(ws::FrameSource*) override {}
  void wake() override {}
  void close(std::uint16_t, std::string_view) override {}
  void abort() override {}
  void pause_reading(bool paused) override { is_paused = paused; }
  [[nodiscard]] std::size_t queued_bytes() const override { return 0; }
  [[nodiscard]] const SocketAddress& peer() const override { return address; }

  SocketAddress address;
  bool is_paused = false;
};

struct Heard {
  bool opened = false, closed = false;
  std::vector<std::string> messages;
  std::uint64_t updates = 0;
};

/// Each message has as many updates as letters.
class Session final : public ws::WsSession {
 public:
  explicit Session(Heard& heard) : heard_(heard) {}
  void opened(ws::WsConnection&) override { heard_.opened = true; }
  void received(std::string_view message, bool) override {
    heard_.messages.emplace_back(message);
    heard_.updates += message.size();
  }
  void closed() override { heard_.closed = true; }

 private:
  Heard& heard_;
};

}  // namespace

TEST_CASE("a peer above its rate is not read until the rate is kept again, and nothing is lost") {
  FakeLoop loop;
  Heard heard;
  Connection connection;
  std::uint64_t pauses = 0;
  PacedSession paced(loop, std::make_unique<Session>(heard), Rate{10, 5}, nullptr, pauses);
  paced.opened(connection);
  CHECK(heard.opened);
  for (int i = 0; i < 5; ++i) paced.received("m", false);
  CHECK_FALSE(connection.is_paused);
  paced.received("m", false);
  CHECK(connection.is_paused);
  paced.received("read before", false);  // was in the buffer already
  CHECK(heard.messages.size() == 7);
  CHECK(pauses == 1);
  loop.advance(199ms);
  CHECK(connection.is_paused);
  loop.advance(1ms);
  CHECK_FALSE(connection.is_paused);
  paced.received("m", false);
  CHECK(pauses == 2);
  paced.closed();
  CHECK(heard.closed);
  loop.advance(1h);
}

TEST_CASE("a gateway is paced by what its batches hold") {
  FakeLoop loop;
  Heard heard;
  Connection connection;
  std::uint64_t pauses = 0;
  PacedSession paced(
      loop, std::make_unique<Session>(heard), Rate{100, 10}, [&] { return heard.updates; }, pauses);
  paced.opened(connection);
  paced.received(std::string(10, 'u'), false);
  CHECK_FALSE(connection.is_paused);
  paced.received(std::string(200, 'u'), false);
  CHECK(connection.is_paused);
  loop.advance(1999ms);
  CHECK(connection.is_paused);
  loop.advance(1ms);
  CHECK_FALSE(connection.is_paused);
}
