// The client against peers made by hand, which lose, delay, change and garble.
#include "core/base/text.h"
#include "core/coap/coap_server.h"
#include "integration/coap_client_support.h"

using namespace aiot;
using namespace aiot::test;
using coap::code;
using coap::Message;
namespace option = coap::option;

namespace {

/// A peer that is known inside its own handler.
template <class F>
std::unique_ptr<UdpPeer> make_peer(Bench& bench, F handler) {
  auto self = std::make_shared<UdpPeer*>(nullptr);
  auto peer = std::make_unique<UdpPeer>(
      bench.loop(), [self, handler](const Message& request) mutable { handler(**self, request); });
  *self = peer.get();
  return peer;
}

/// Serves `body(n)` in blocks of 16 << szx, n counting requests; `etag(n)` goes with it.
template <class Body, class Etag>
auto serve_blocks(Body body, Etag etag, std::uint8_t szx = 2) {
  return [body, etag, szx, n = 0](UdpPeer& peer, const Message& request) mutable {
    const std::string whole = body(n);
    const auto wanted = request.uint_option(option::kBlock2).value_or(0) >> 4;
    const std::size_t size = std::size_t{16} << szx;
    Message answer = UdpPeer::answer(request, code(2, 5));
    answer.add(option::kEtag, etag(n));
    const auto offset = wanted * size;
    const bool more = offset + size < whole.size();
    answer.add_uint(option::kBlock2, wanted << 4 | (more ? 8U : 0U) | szx);
    answer.payload = offset < whole.size() ? whole.substr(offset, size) : "";
    peer.send(answer);
    ++n;
  };
}

}  // namespace

TEST_CASE("a lost request is retransmitted, the same message, and answered") {
  Bench bench;
  auto peer = make_peer(bench, [n = 0](UdpPeer& self, const Message& request) mutable {
    if (n++ > 0) self.send(UdpPeer::answer(request, code(2, 5), "late"));
  });
  const auto answer = bench.ask(make_request(peer->uri()));
  REQUIRE(answer);
  CHECK(answer->payload == "late");
  REQUIRE(peer->heard.size() == 2);
  CHECK(peer->heard[0].message_id == peer->heard[1].message_id);
  CHECK(peer->heard[0].token == peer->heard[1].token);
}

TEST_CASE("nothing is retransmitted after the deadline") {
  Bench bench;
  auto peer = make_peer(bench, [](UdpPeer&, const Message&) {});
  auto request = make_request(peer->uri());
  request.timeout = 200ms;
  CHECK(bench.ask(std::move(request)).error().code == Errc::timeout);
  bench.run_until([] { return false; }, 3s);
  CHECK(peer->heard.size() == 1);
}

TEST_CASE("a separate response is acknowledged and taken once") {
  Bench bench;
  std::unique_ptr<Timer> later;
  auto peer = make_peer(bench, [&](UdpPeer& self, const Message& request) {
    if (request.type == coap::Type::ack) return;
    Message empty;
    empty.type = coap::Type::ack;
    empty.message_id = request.message_id;
    self.send(empty);
    Message response = UdpPeer::answer(request, code(2, 5), "separate");
    response.type = coap::Type::con;
    response.message_id = 0x7777;
    later = bench.loop().make_timer([&self, response] {
      self.send(response);
      self.send(response);
    });
    later->start(50ms);
  });
  const auto answer = bench.ask(make_request(peer->uri()));
  REQUIRE(answer);
  CHECK(answer->payload == "separate");
  REQUIRE(bench.run_until([&] { return peer->heard.size() >= 2; }));
  CHECK(peer->heard[1].type == coap::Type::ack);
  CHECK(peer->heard[1].message_id == 0x7777);
}

TEST_CASE("what the peer answers decides the kind of failure") {
  Bench bench;
  struct Row {
    std::uint8_t code;
    Errc kind;
    int native;
  };
  const Row row = GENERATE(Row{code(4, 1), Errc::unauthorized, 401}, Row{code(4, 3), Errc::unauthorized, 403},
                           Row{code(4, 4), Errc::rejected, 404}, Row{code(4, 15), Errc::rejected, 415},
                           Row{code(5, 0), Errc::peer_failed, 500}, Row{code(5, 3), Errc::peer_failed, 503},
                           Row{code(3, 1), Errc::peer_failed, 301}, Row{code(2, 31), Errc::peer_failed, 0});
  auto peer = make_peer(bench, [row](UdpPeer& self, const Message& request) {
    self.send(UdpPeer::answer(request, row.code, "bad\x1b[31m\nthing"));
  });
  const auto answer = bench.ask(make_request(peer->uri()));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == row.kind);
  CHECK(answer.error().native == row.native);
  CHECK(answer.error().message.find('\x1b') == std::string::npos);
  if (row.native != 0)
    CHECK(answer.error().message.find(text::escape_controls("bad\x1b[31m\nthing")) != std::string::npos);
}

TEST_CASE("a datagram that is no CoAP is a failure of the peer") {
  Bench bench;
  auto peer =
      make_peer(bench, [](UdpPeer& self, const Message&) { self.send_raw("\xff garbage, no CoAP at all"); });
  const auto answer = bench.ask(make_request(peer->uri()));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::peer_failed);
}

TEST_CASE("a datagram larger than can be read whole is a failure of the peer, not a cut payload") {
  Bench bench;
  auto peer = make_peer(bench, [](UdpPeer& self, const Message& request) {
    self.send(UdpPeer::answer(request, code(2, 5), std::string(3000, 'x')));
  });
  const auto answer = bench.ask(make_request(peer->uri()));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::peer_failed);
}

TEST_CASE("a datagram that is large but whole arrives") {
  Bench bench;
  auto peer = make_peer(bench, [](UdpPeer& self, const Message& request) {
    self.send(UdpPeer::answer(request, code(2, 5), std::string(1400, 'x')));
  });
  const auto answer = bench.ask(make_request(peer->uri()));
  REQUIRE(answer);
  CHECK(answer->payload.size() == 1400);
}

TEST_CASE("a reset is a rejection") {
  Bench bench;
  auto peer = make_peer(bench, [](UdpPeer& self, const Message& request) {
    Message reset;
    reset.type = coap::Type::rst;
    reset.message_id = request.message_id;
    self.send(reset);
  });
  const auto answer = bench.ask(make_request(peer->uri(), Method::put, "1"));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::rejected);
  CHECK(answer.error().outcome == Outcome::rejected);
}

TEST_CASE("an answer with another token is not an answer") {
  Bench bench;
  auto peer = make_peer(bench, [](UdpPeer& self, const Message& request) {
    auto answer = UdpPeer::answer(request, code(2, 5), "forged");
    answer.token = "abcd";
    self.send(answer);
  });
  auto request = make_request(peer->uri());
  request.timeout = 300ms;
  CHECK(bench.ask(std::move(request)).error().code == Errc::timeout);
}

TEST_CASE("the options of a request are on the wire") {
  Bench bench;
  auto peer = make_peer(bench, [](UdpPeer& self, const Message& request) {
    auto answer = UdpPeer::answer(request, code(2, 1));
    answer.add(option::kLocationPath, "made");
    answer.add(option::kLocationPath, "7");
    answer.add(option::kEtag, "tag");
    self.send(answer);
  });
  const Method method = GENERATE(Method::get, Method::put, Method::post, Method::del, Method::fetch,
                                 Method::patch, Method::ipatch);
  auto request = make_request(peer->uri("/a%20b/c?x=1&y"), method, "p");
  request.content_format = 50;
  request.accept = 60;
  request.if_match = {"etag", ""};
  const auto answer = bench.ask(std::move(request));
  REQUIRE(answer);
  CHECK(answer->code == "2.01");
  CHECK(answer->location == std::vector<std::string>{"made", "7"});
  CHECK(answer->etag == "tag");
  const auto& heard = peer->heard.at(0);
  const std::uint8_t codes[] = {1, 3, 2, 4, 5, 6, 7};
  CHECK(heard.code == codes[static_cast<int>(method)]);
  CHECK(heard.string_options(option::kUriPath) == std::vector<std::string_view>{"a b", "c"});
  CHECK(heard.string_options(option::kUriQuery) == std::vector<std::string_view>{"x=1", "y"});
  CHECK(heard.string_options(option::kIfMatch) == std::vector<std::string_view>{"etag", ""});
  CHECK(heard.uint_option(option::kContentFormat) == 50u);
  CHECK(heard.uint_option(option::kAccept) == 60u);
  CHECK(heard.payload == "p");
}

TEST_CASE("a representation that changes while it is read is read anew, whole") {
  Bench bench;
  auto peer = make_peer(bench, serve_blocks([](int n) { return std::string(300, n < 3 ? 'a' : 'b'); },
                                            [](int n) { return std::string(n < 3 ? "one" : "two"); }));
  const auto answer = bench.ask(make_request(peer->uri()));
  REQUIRE(answer);
  CHECK(answer->payload == std::string(300, 'b'));
  CHECK(answer->etag == "two");
}

TEST_CASE("one that never stops changing is a failure of the peer") {
  Bench bench;
  auto peer =
      make_peer(bench, serve_blocks([](int n) { return std::string(300, static_cast<char>('a' + n % 26)); },
                                    [](int n) { return std::to_string(n); }));
  const auto answer = bench.ask(make_request(peer->uri()));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::peer_failed);
}

TEST_CASE("an answer larger than the bound is refused, however small its blocks") {
  coap::ClientLimits limits;
  limits.max_payload = 1000;
  Bench bench(limits);
  auto peer = make_peer(bench, serve_blocks([](int) { return std::string(100000, 'x'); },
                                            [](int) { return std::string("same"); }, 5));
  const auto answer = bench.ask(make_request(peer->uri()));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::peer_failed);
  CHECK(answer.error().message.find("1000 bytes") != std::string::npos);
}

TEST_CASE("a peer that wants smaller blocks gets them") {
  Bench bench;
  const bool refuses = GENERATE(true, false);
  std::string got;
  auto peer = make_peer(bench, [&got, refuses](UdpPeer& self, const Message& request) {
    const auto block =
        coap::Block::decode(static_cast<std::uint32_t>(request.uint_option(option::kBlock1).value_or(0)));
    if (refuses && block.szx > 2) {
      auto answer = UdpPeer::answer(request, code(4, 13));
      answer.add_uint(option::kBlock1, coap::Block{0, false, 2}.encode());
      return self.send(answer);
    }
    // Confirms the first at its own size and asks for 64 bytes from then on.
    got.resize(block.offset());
    got += request.payload;
    auto answer = UdpPeer::answer(request, block.more ? code(2, 31) : code(2, 4));
    answer.add_uint(option::kBlock1, coap::Block{block.number, block.more, 2}.encode());
    self.send(answer);
  });
  std::string payload;
  for (int i = 0; i < 500; ++i) payload += std::to_string(i);
  const auto answer = bench.ask(make_request(peer->uri(), Method::put, payload));
  REQUIRE(answer);
  CHECK(got == payload);
}

TEST_CASE("an upload that a peer lost half-way starts over once") {
  Bench bench;
  std::string got;
  auto peer = make_peer(bench, [&got, lost = false](UdpPeer& self, const Message& request) mutable {
    const auto block =
        coap::Block::decode(static_cast<std::uint32_t>(request.uint_option(option::kBlock1).value_or(0)));
    if (block.number == 1 && !std::exchange(lost, true))
      return self.send(UdpPeer::answer(request, code(4, 8)));
    got.resize(block.offset());
    got += request.payload;
    auto answer = UdpPeer::answer(request, block.more ? code(2, 31) : code(2, 4));
    answer.add_uint(option::kBlock1, block.encode());
    self.send(answer);
  });
  const std::string payload(3000, 'u');
  REQUIRE(bench.ask(make_request(peer->uri(), Method::post, payload)));
  CHECK(got == payload);
}

TEST_CASE("one garbled or silent peer disturbs no other") {
  Bench bench;
  std::vector<std::unique_ptr<UdpPeer>> good;
  std::vector<std::unique_ptr<UdpPeer>> bad;
  std::vector<Operation> operations;
  int fine = 0;
  int failed = 0;
  for (int i = 0; i < 20; ++i) {
    good.push_back(make_peer(bench, [](UdpPeer& self, const Message& request) {
      self.send(UdpPeer::answer(request, code(2, 5), "fine"));
    }));
    bad.push_back(make_peer(bench, [i](UdpPeer& self, const Message&) {
      if (i % 2 == 0) self.send_raw("\xf0\xff\xff\xff\xff");
    }));
  }
  for (int i = 0; i < 20; ++i) {
    auto request = make_request(bad[i]->uri());
    request.timeout = 1s;
    operations.push_back(
        bench.client().request(std::move(request), [&](Result<Response> r) { failed += !r; }));
    operations.push_back(
        bench.client().request(make_request(good[i]->uri()), [&](Result<Response> r) { fine += !!r; }));
  }
  REQUIRE(bench.run_until([&] { return fine + failed == 40; }));
  CHECK(fine == 20);
  CHECK(failed == 20);
}

TEST_CASE("a request may leave from a port that is in use, as a NAT in front of a node wants") {
  Bench bench;
  const UdpSocket server;
  const int on = 1;
  REQUIRE(setsockopt(server.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  SocketAddress seen;
  auto peer = make_peer(bench, [&seen](UdpPeer& self, const Message& request) {
    seen = self.from();
    self.send(UdpPeer::answer(request, code(2, 4)));
  });
  std::optional<Result<Response>> answer;
  auto operation = bench.client().request_from(server.address(), make_request(peer->uri(), Method::put, "1"),
                                               [&](Result<Response> result) { answer = std::move(result); });
  REQUIRE(bench.run_until([&] { return answer.has_value(); }));
  REQUIRE(*answer);
  CHECK(seen == server.address());
  // The session is gone at once: what the peer sends to that port is the server's again.
  char byte = 0;
  REQUIRE(bench.run_until([&] {
    peer->send_raw("hello");
    return recv(server.fd(), &byte, 1, 0) == 1;
  }));
}

TEST_CASE(
    "what a peer says to the server while it is asked from the server's port reaches the server, once") {
  Bench bench;
  std::vector<std::string> posted;
  coap::ServerOptions options;
  options.udp = {*SocketAddress::parse("127.0.0.1:0")};
  auto server = coap::CoapServer::listen(bench.loop(), options,
                                         [&](const coap::ServerRequest& request, coap::Responder responder) {
                                           posted.emplace_back(request.payload);
                                           coap::ServerReply reply;
                                           reply.code = code(2, 4);
                                           responder.reply(std::move(reply));
                                         });
  REQUIRE(server);
  const auto address = (*server)->bound().front();
  Message put;
  std::vector<std::uint8_t> answers;
  auto peer = make_peer(bench, [&](UdpPeer& self, const Message& message) {
    Message post;
    post.type = coap::Type::con;
    post.code = code(0, 2);
    post.message_id = 7;
    post.token = "tk";
    post.payload = "led:1";
    if (message.code == code(0, 3)) {
      put = message;
      self.send(post);
    } else if (message.code != 0) {
      answers.push_back(message.code);
      answers.size() < 3 ? self.send(post) : self.send(UdpPeer::answer(put, code(2, 4)));
    }
  });
  std::optional<Result<Response>> answer;
  auto operation = bench.client().request_from(address, make_request(peer->uri(), Method::put, "1"),
                                               [&](Result<Response> result) { answer = std::move(result); });
  REQUIRE(bench.run_until([&] { return answer.has_value(); }));
  CHECK(*answer);
  CHECK(answers == std::vector<std::uint8_t>(3, code(2, 4)));  // its repeats, too
  CHECK(posted == std::vector<std::string>{"led:1"});
}

TEST_CASE("the blocks of one transfer share a token, and late copies of earlier answers do no harm") {
  Bench bench;
  std::optional<Message> last;
  std::optional<Message> before;
  auto serve = serve_blocks([](int) { return std::string(400, 'c'); }, [](int) { return std::string("e"); });
  auto peer = make_peer(bench, [&, serve](UdpPeer& self, const Message& request) mutable {
    if (before) self.send(*before);
    before = last;
    const auto wanted = request.uint_option(option::kBlock2).value_or(0) >> 4;
    last = UdpPeer::answer(request, code(2, 5), std::string(64, 'c'));
    last->add(option::kEtag, "e");
    last->add_uint(option::kBlock2, wanted << 4 | 8U | 2U);
    serve(self, request);
  });
  const auto answer = bench.ask(make_request(peer->uri()));
  INFO(why(answer));
  REQUIRE(answer);
  CHECK(answer->payload == std::string(400, 'c'));
  REQUIRE(peer->heard.size() == 7);
  for (const auto& message : peer->heard) CHECK(message.token == peer->heard[0].token);
}
