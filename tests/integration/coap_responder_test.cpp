#include <atomic>
#include <catch2/catch.hpp>
#include <optional>

#include "integration/coap_peer.h"

using namespace aiot;
using namespace aiot::coap;
using namespace std::chrono_literals;

namespace {

ServerOptions on_loopback() {
  ServerOptions options;
  options.udp = {*SocketAddress::parse("127.0.0.1:0")};
  return options;
}

ServerReply text(std::string payload) {
  ServerReply reply;
  reply.payload = std::move(payload);
  return reply;
}

/// Keeps responders for later; belongs to the loop's thread.
struct Kept {
  std::vector<Responder> responders;
  std::atomic<unsigned> count{0};
  CoapServer::Handler handler() {
    return [this](const ServerRequest&, Responder responder) {
      responders.push_back(std::move(responder));
      ++count;
    };
  }
};

void wait_for(const std::atomic<unsigned>& count, unsigned wanted) {
  for (int i = 0; i < 2000 && count < wanted; ++i) std::this_thread::sleep_for(5ms);
  REQUIRE(count == wanted);
}

}  // namespace

TEST_CASE("an answer on the next turn is still piggybacked") {
  EventLoop* loop = nullptr;
  ServerThread server(on_loopback(), [&](const ServerRequest& request, Responder responder) {
    loop->post([responder = std::move(responder), payload = std::string(request.payload)]() mutable {
      responder.reply(text("got " + payload));
    });
  });
  server.run([&](EventLoop& its) { loop = &its; });
  UdpPeer peer(server.bound[0]);
  const auto message = request(Type::con, kPost, 7, "x", "abc");
  const auto answer = peer.exchange(message);
  CHECK(answer.type == Type::ack);
  CHECK(answer.message_id == 7);
  CHECK(answer.token == "tk");
  CHECK(answer.payload == "got abc");
  CHECK(format_message(peer.exchange(message)) == format_message(answer));
  CHECK(server.counters().duplicates == 1);
}

TEST_CASE(
    "a late answer is separate: an empty ACK first, then a message that is repeated until acknowledged") {
  Kept kept;
  ServerThread server(on_loopback(), kept.handler());
  UdpPeer peer(server.bound[0]);
  const auto message = request(Type::con, kGet, 7, "slow");
  peer.send(message);
  const auto ack = peer.receive();
  REQUIRE(ack);
  CHECK(ack->type == Type::ack);
  CHECK(ack->code == 0);
  CHECK(ack->message_id == 7);
  CHECK(ack->token.empty());

  // A repeat while waiting gets the empty ACK again, not the handler.
  const auto again = peer.exchange(message);
  CHECK(format_message(again) == format_message(*ack));
  CHECK(kept.count == 1);

  server.run([&](EventLoop&) { kept.responders.at(0).reply(text("at last")); });
  const auto separate = peer.receive();
  REQUIRE(separate);
  CHECK(separate->type == Type::con);
  CHECK(separate->token == "tk");
  CHECK(separate->payload == "at last");
  const auto repeated = peer.receive();
  REQUIRE(repeated);
  CHECK(format_message(*repeated) == format_message(*separate));
  Message done;
  done.type = Type::ack;
  done.message_id = separate->message_id;
  peer.send(done);
  CHECK(peer.exchange(message).code == 0);
  server.run([&](EventLoop&) { kept.responders.clear(); });
}

TEST_CASE("a late answer to a NON request is a NON message") {
  Kept kept;
  ServerThread server(on_loopback(), kept.handler());
  UdpPeer peer(server.bound[0]);
  const auto message = request(Type::non, kGet, 7, "slow");
  peer.send(message);
  wait_for(kept.count, 1);
  server.run([&](EventLoop&) { kept.responders.at(0).reply(text("later")); });
  const auto answer = peer.receive();
  REQUIRE(answer);
  CHECK(answer->type == Type::non);
  CHECK(answer->token == "tk");
  CHECK(answer->payload == "later");
  CHECK(peer.exchange(message).payload == "later");
  CHECK(kept.count == 1);
}

TEST_CASE("a responder dropped unanswered answers 5.03, at once or later") {
  Kept kept;
  std::atomic<bool> keep{false};
  ServerThread server(on_loopback(), [&](const ServerRequest&, Responder responder) {
    if (keep) kept.responders.push_back(std::move(responder));
    ++kept.count;
  });
  UdpPeer peer(server.bound[0]);
  CHECK(code_text(peer.exchange(request(Type::con, kGet, 1, "x")).code) == "5.03");
  keep = true;
  peer.send(request(Type::con, kGet, 2, "x"));
  wait_for(kept.count, 2);
  server.run([&](EventLoop&) { kept.responders.clear(); });
  const auto answer = peer.receive();
  REQUIRE(answer);
  CHECK((answer->code == 0 || code_text(answer->code) == "5.03"));
  if (answer->code == 0) {
    const auto separate = peer.receive();
    REQUIRE(separate);
    CHECK(code_text(separate->code) == "5.03");
  }
}

TEST_CASE("a responder moved over another drops that one, and answering twice does nothing") {
  std::vector<std::optional<Responder>> kept;
  std::atomic<unsigned> count{0};
  ServerThread server(on_loopback(), [&](const ServerRequest&, Responder responder) {
    if (kept.empty()) {
      kept.emplace_back(std::move(responder));
    } else {
      *kept[0] = std::move(responder);
      kept[0]->reply(text("second"));
      kept[0]->reply(text("third"));
    }
    ++count;
  });
  UdpPeer first(server.bound[0]);
  UdpPeer second(server.bound[0]);
  first.send(request(Type::non, kGet, 1, "x"));
  wait_for(count, 1);
  CHECK(second.exchange(request(Type::con, kGet, 2, "x")).payload == "second");
  const auto dropped = first.receive();
  REQUIRE(dropped);
  CHECK(code_text(dropped->code) == "5.03");
  CHECK_FALSE(second.receive(200ms));
  server.run([&](EventLoop&) { kept.clear(); });
}

TEST_CASE("too many requests waiting for their answer are answered 5.03") {
  Kept kept;
  ServerThread server(on_loopback(), kept.handler());
  UdpPeer peer(server.bound[0]);
  for (unsigned i = 0; i < 4096; ++i) {
    peer.send(request(Type::non, kGet, static_cast<std::uint16_t>(i), "x"));
    if (i % 256 == 255) wait_for(kept.count, i + 1);
  }
  CHECK(code_text(peer.exchange(request(Type::con, kGet, 5000, "x")).code) == "5.03");
  CHECK(server.counters().overloads == 1);
  server.run([&](EventLoop&) { kept.responders.clear(); });
}

TEST_CASE("a server may be destroyed by its own handler, with the responder in hand or kept") {
  for (const bool keep : {false, true}) {
    std::optional<Responder> kept;
    std::atomic<unsigned> count{0};
    ServerThread* owner = nullptr;
    ServerThread server(on_loopback(), [&](const ServerRequest&, Responder responder) {
      if (keep) kept.emplace(std::move(responder));
      owner->server.reset();
      ++count;
    });
    server.run([&](EventLoop&) { owner = &server; });
    UdpPeer peer(server.bound[0]);
    peer.send(request(Type::con, kGet, 1, "x"));
    wait_for(count, 1);
    server.run([&](EventLoop&) {
      if (kept) kept->reply(text("too late"));
      kept.reset();
    });
  }
}

TEST_CASE("a server may be destroyed with every kind of request under way") {
  for (int round = 0; round < 5; ++round) {
    Kept kept;
    {
      ServerThread server(on_loopback(), kept.handler());
      UdpPeer peer(server.bound[0]);
      const unsigned wanted = static_cast<unsigned>(round) * 3;
      for (unsigned i = 0; i < wanted; ++i)
        peer.send(request(i % 2 == 0 ? Type::con : Type::non, kGet, static_cast<std::uint16_t>(i), "x"));
      auto part = request(Type::con, kPut, 1000, "up", std::string(1024, 'x'));
      part.add_uint(option::kBlock1, Block{0, true, 6}.encode());
      peer.send(part);
      wait_for(kept.count, wanted);
      if (round > 2) {
        // One separate answer that nobody acknowledges.
        std::this_thread::sleep_for(150ms);
        server.run([&](EventLoop&) { kept.responders.at(0).reply(text("unheard")); });
      }
    }
    for (auto& responder : kept.responders) responder.reply(text("too late"));
  }
}
