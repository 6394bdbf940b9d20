#include <atomic>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "integration/coap_peer.h"

/// What a server sends to somebody who may not have asked.
using namespace aiot;
using namespace aiot::coap;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kAllowance = 32;
constexpr std::size_t kPings = 8;  ///< one, and its repetition
constexpr std::size_t kSize = 1500;

std::string body() {
  std::string out(kSize, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return out;
}

ServerOptions on_loopback() {
  ServerOptions options;
  options.udp = {*SocketAddress::parse("127.0.0.1:0")};
  return options;
}

void serve(const ServerRequest& request, Responder responder) {
  ServerReply reply;
  const auto path = request.path.empty() ? std::string_view() : request.path[0];
  if (path == "large") reply.payload = body();
  if (path == "links") reply.payload = std::string(400, 'l');
  if (path == "short") reply.payload = "Received '" + std::string(request.payload) + "'";
  if (path == "missing") {
    reply.code = code(4, 4);
    reply.payload = std::string(39, 'n') + "\xC3\xA4" + std::string(200, 'o');
  }
  if (path == "created") {
    reply.code = code(2, 1);
    reply.location_path = {"rd", "0123abcd"};
  }
  responder.reply(std::move(reply));
}

Block block_of(const Message& answer) {
  const auto value = answer.uint_option(option::kBlock2);
  REQUIRE(value);
  return Block::decode(static_cast<std::uint32_t>(*value));
}

Message wanting(Message message, Block block) {
  message.add_uint(option::kBlock2, block.encode());
  return message;
}

/// Every byte that comes until the ping has been repeated, in answer to `message`; and the answer.
std::size_t all_that_comes(UdpPeer& peer, const Message& message, Message& answer) {
  peer.mute = true;
  const auto before = peer.received;
  peer.send(message);
  const auto first = peer.receive();
  REQUIRE(first);
  answer = *first;
  // ACK_TIMEOUT to ACK_TIMEOUT * ACK_RANDOM_FACTOR after the first.
  while (const auto more = peer.receive(3500ms)) FAIL("more than one answer came");
  return peer.received - before;
}

std::string output_of(const std::string& command) {
  auto* const pipe = ::popen(("timeout 20 " + command + " 2>/dev/null").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  char buffer[4096];
  while (const auto size = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, size);
  ::pclose(pipe);
  return out;
}

}  // namespace

TEST_CASE("somebody who answers no ping gets no more than he sent, but the whole in small blocks") {
  ServerThread server(on_loopback(), serve);
  for (const auto type : {Type::con, Type::non}) {
    UdpPeer peer(server.bound[0]);
    const auto first = request(type, kGet, 10, "large");
    Message answer;
    const auto received = all_that_comes(peer, first, answer);
    INFO((type == Type::con ? "CON" : "NON"));
    CHECK(peer.pings == 2);
    CHECK(received <= format_message(first).size() + kAllowance + kPings);
    CHECK(answer.type == (type == Type::con ? Type::ack : Type::non));
    CHECK(answer.code == code(2, 5));
    CHECK(answer.token == "tk");
    CHECK(block_of(answer) == Block{0, true, 0});
    CHECK(answer.uint_option(option::kSize2) == kSize);

    auto whole = answer.payload;
    for (std::uint32_t number = 1; block_of(answer).more; ++number) {
      const auto next = wanting(request(type, kGet, static_cast<std::uint16_t>(10 + number), "large"),
                                Block{number, false, 0});
      const auto before = peer.received;
      answer = peer.exchange(next);
      REQUIRE(peer.received - before <= format_message(next).size() + kAllowance);
      whole += answer.payload;
    }
    CHECK(whole == body());
    CHECK(peer.pings == 2);
  }
  CHECK(server.counters().reduced == 2);
}

TEST_CASE("a peer that answers the ping gets the whole answer, and is not asked again") {
  ServerThread server(on_loopback(), serve);
  for (const auto type : {Type::con, Type::non}) {
    UdpPeer peer(server.bound[0]);
    const auto answer = peer.exchange(request(type, kGet, 10, "links"));
    CHECK(answer.type == (type == Type::con ? Type::ack : Type::non));
    CHECK(answer.payload == std::string(400, 'l'));
    CHECK(peer.pings == 1);
    const auto large = peer.exchange(request(type, kGet, 11, "large"));
    CHECK(block_of(large) == Block{0, true, 6});
    CHECK(large.payload + peer.exchange(wanting(request(type, kGet, 12, "large"), {1, false, 6})).payload ==
          body());
    CHECK(peer.pings == 1);
  }
}

TEST_CASE("short answers and refusals go to anybody at once") {
  ServerThread server(on_loopback(), serve);
  UdpPeer peer(server.bound[0]);
  peer.mute = true;
  const auto message = request(Type::con, kPost, 10, "short", "temperature:23°C");
  CHECK(peer.exchange(message).payload == "Received 'temperature:23°C'");
  CHECK(
      peer.exchange(request(Type::con, kPost, 11, "created")).string_options(option::kLocationPath).size() ==
      2);
  CHECK(peer.pings == 0);
  // So is the answer that is said again.
  CHECK(peer.exchange(message).payload == "Received 'temperature:23°C'");
  CHECK(peer.pings == 0);
}

TEST_CASE("one that kept silent is not asked for each request") {
  ServerThread server(on_loopback(), serve);
  UdpPeer peer(server.bound[0]);
  peer.mute = true;
  CHECK(block_of(peer.exchange(request(Type::con, kGet, 10, "large"))) == Block{0, true, 0});
  CHECK(block_of(peer.exchange(request(Type::con, kGet, 11, "links"))) == Block{0, true, 0});
  CHECK(server.counters().reduced == 2);
  // A block in the size of his choice is cut down too, at the place he asked for.
  const auto answer = peer.exchange(wanting(request(Type::con, kGet, 12, "large"), {1, false, 6}));
  CHECK(block_of(answer) == Block{64, true, 0});
  CHECK(answer.payload == body().substr(1024, 16));
  CHECK(peer.pings <= 2);
}

TEST_CASE("several requests of somebody who answers no ping are each answered in small blocks") {
  ServerThread server(on_loopback(), serve);
  UdpPeer peer(server.bound[0]);
  peer.mute = true;
  constexpr std::uint16_t kRequests = 20;
  for (std::uint16_t i = 0; i < kRequests; ++i) peer.send(request(Type::non, kGet, 10 + i, "large"));
  for (int i = 0; i < kRequests; ++i) {
    const auto answer = peer.receive();
    REQUIRE(answer);
    CHECK(block_of(*answer) == Block{0, true, 0});
  }
  // Others are served as ever.
  UdpPeer other(server.bound[0]);
  CHECK(other.exchange(request(Type::con, kGet, 1, "short")).code == code(2, 5));
}

TEST_CASE("the diagnostic of an error is cut for somebody unknown, between characters") {
  ServerThread server(on_loopback(), serve);
  for (const std::size_t more : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U, 10U}) {
    UdpPeer peer(server.bound[0]);
    const auto message = request(Type::con, kGet, 10, "missing", std::string(more, 'x'));
    peer.mute = true;
    const auto answer = peer.exchange(message);
    CHECK(answer.code == code(4, 4));
    CHECK_FALSE(answer.uint_option(option::kBlock2));
    REQUIRE(answer.payload.size() > 20);
    CHECK(format_message(answer).size() <= format_message(message).size() + kAllowance);
    CHECK(answer.payload.back() != '\xC3');
  }
  UdpPeer peer(server.bound[0]);
  CHECK(peer.exchange(request(Type::con, kGet, 10, "missing")).payload.size() == 241);
}

TEST_CASE("when many wait for their proof the next gets small blocks at once") {
  auto options = on_loopback();
  options.max_unproved = 1;
  ServerThread server(std::move(options), serve);
  UdpPeer silent(server.bound[0]);
  silent.mute = true;
  silent.send(request(Type::con, kGet, 10, "large"));
  UdpPeer other(server.bound[0]);
  other.mute = true;
  CHECK(block_of(other.exchange(request(Type::con, kGet, 10, "large"))) == Block{0, true, 0});
  CHECK(other.pings == 0);
  CHECK(server.counters().reduced == 1);
  CHECK(silent.receive());
}

TEST_CASE("requests that wait are answered together by one pong, their repeats are not") {
  std::atomic<int> asked{0};
  ServerThread server(on_loopback(), [&](const ServerRequest& request, Responder responder) {
    ++asked;
    serve(request, std::move(responder));
  });
  UdpPeer peer(server.bound[0]);
  peer.send(request(Type::con, kGet, 10, "links", {}, "t1"));
  peer.send(request(Type::con, kGet, 10, "links", {}, "t1"));
  peer.send(request(Type::non, kGet, 11, "links", {}, "t2"));
  std::string tokens;
  for (int i = 0; i < 2; ++i) {
    const auto answer = peer.receive();
    REQUIRE(answer);
    CHECK(answer->payload.size() == 400);
    tokens += answer->token;
  }
  CHECK(tokens == "t1t2");
  CHECK(peer.pings == 1);
  CHECK(asked == 2);
  CHECK(server.counters().duplicates == 1);
}

TEST_CASE("a late answer of the handler waits for the proof as well") {
  std::vector<Responder> kept;
  std::atomic<int> count{0};
  ServerThread server(on_loopback(), [&](const ServerRequest&, Responder responder) {
    kept.push_back(std::move(responder));
    ++count;
  });
  UdpPeer peer(server.bound[0]);
  peer.mute = true;
  peer.send(request(Type::con, kGet, 10, "late"));
  const auto ack = peer.receive();  // empty, after 100 ms
  REQUIRE(ack);
  CHECK(ack->type == Type::ack);
  REQUIRE(count == 1);
  server.run([&](EventLoop&) {
    ServerReply reply;
    reply.payload = body();
    kept.at(0).reply(std::move(reply));
    kept.clear();
  });
  const auto answer = peer.receive();
  REQUIRE(answer);
  CHECK(answer->type == Type::non);
  CHECK(block_of(*answer) == Block{0, true, 0});
}

TEST_CASE("a server may go while answers wait for their proof") {
  UdpPeer* peer = nullptr;
  std::atomic<int> asked{0};
  {
    ServerThread server(on_loopback(), [&](const ServerRequest& request, Responder responder) {
      serve(request, std::move(responder));
      ++asked;
    });
    peer = new UdpPeer(server.bound[0]);
    peer->send(request(Type::con, kGet, 10, "large"));
    peer->mute = true;
    CHECK_FALSE(peer->receive(100ms));
    CHECK(asked == 1);
  }
  delete peer;
}

TEST_CASE("libcoap's client answers the ping and gets the whole, in blocks of 1024") {
  if (std::system("command -v coap-client-notls >/dev/null") != 0) {
    WARN("no coap-client-notls here");
    return;
  }
  ServerThread server(on_loopback(), serve);
  const auto uri = "coap://" + server.bound[0].text();
  CHECK(output_of("coap-client-notls -m get " + uri + "/large") == body() + "\n");
  CHECK(output_of("coap-client-notls -N -m get " + uri + "/links") == std::string(400, 'l') + "\n");
  CHECK(server.counters().requests <= 3);
}
