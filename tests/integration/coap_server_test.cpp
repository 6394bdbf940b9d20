#include <netinet/in.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <mutex>

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

/// Answers as a gateway does, and keeps what it was asked.
struct Asked {
  std::mutex mutex;
  std::vector<std::string> payloads;
  std::vector<std::string> paths;
  std::atomic<unsigned> count{0};

  CoapServer::Handler handler() {
    return [this](const ServerRequest& request, Responder responder) {
      {
        const std::lock_guard lock(mutex);
        std::string path;
        for (const auto segment : request.path) path += "/" + std::string(segment);
        paths.push_back(std::string(to_string(request.method)) + " " + path);
        payloads.emplace_back(request.payload);
        ++count;
      }
      ServerReply reply;
      reply.code = code(2, 4);
      reply.payload = "Received '" + std::string(request.payload) + "'";
      responder.reply(std::move(reply));
    };
  }
};

std::string body_of(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return out;
}

Message block1(Message message, Block block) {
  message.add_uint(option::kBlock1, block.encode());
  return message;
}

/// Uploads `body` in order with a pause between blocks; returns the last answer.
Message upload(UdpPeer& peer, std::uint8_t method, const std::string& body, std::uint16_t first_id,
               std::chrono::milliseconds pause) {
  const Block unit{0, false, 6};
  for (std::uint32_t number = 0;; ++number) {
    const Block block{number, (number + 1) * unit.size() < body.size(), 6};
    const auto answer =
        peer.exchange(block1(request(Type::con, method, static_cast<std::uint16_t>(first_id + number),
                                     "server", body.substr(block.offset(), block.size())),
                             block));
    if (!block.more) return answer;
    REQUIRE(code_text(answer.code) == "2.31");
    REQUIRE(answer.uint_option(option::kBlock1) == block.encode());
    std::this_thread::sleep_for(pause);  // the load being tested is one that pauses
  }
}

}  // namespace

TEST_CASE("a confirmable request gets a piggybacked answer, another one of its kind") {
  Asked asked;
  ServerThread server(on_loopback(), asked.handler());
  UdpPeer peer(server.bound[0]);
  auto answer = peer.exchange(request(Type::con, kPost, 100, "server", "temperature:23°C"));
  CHECK(answer.type == Type::ack);
  CHECK(answer.message_id == 100);
  CHECK(answer.token == "tk");
  CHECK(code_text(answer.code) == "2.04");
  CHECK(answer.payload == "Received 'temperature:23°C'");

  answer = peer.exchange(request(Type::non, kPost, 101, "server", "led:1", "12345678"));
  CHECK(answer.type == Type::non);
  CHECK(answer.token == "12345678");
  CHECK(answer.payload == "Received 'led:1'");
}

TEST_CASE("every method and path reaches the handler, also the well-known one") {
  Asked asked;
  ServerThread server(on_loopback(), asked.handler());
  UdpPeer peer(server.bound[0]);
  std::uint16_t id = 1;
  for (std::uint8_t method = 1; method <= 7; ++method) peer.exchange(request(Type::con, method, id++, "a/b"));
  peer.exchange(request(Type::con, kGet, id++, ".well-known/core"));
  peer.exchange(request(Type::con, kPut, id++, ".well-known/core"));
  peer.exchange(request(Type::con, kGet, id++, ""));
  auto query = request(Type::con, kGet, id++, "x");
  query.add(option::kUriQuery, "k=v");
  peer.exchange(query);
  CHECK(asked.paths == std::vector<std::string>{"GET /a/b", "POST /a/b", "PUT /a/b", "DELETE /a/b",
                                                "FETCH /a/b", "PATCH /a/b", "iPATCH /a/b",
                                                "GET /.well-known/core", "PUT /.well-known/core", "GET ",
                                                "GET /x"});
}

TEST_CASE("repeats get the same answer and reach the handler once") {
  Asked asked;
  ServerThread server(on_loopback(), asked.handler());
  UdpPeer peer(server.bound[0]);
  std::uint16_t id = 500;
  for (const auto type : {Type::con, Type::non}) {
    const auto message = request(type, kPost, ++id, "server", "a:1");
    const auto first = format_message(peer.exchange(message));
    for (int i = 0; i < 5; ++i) CHECK(format_message(peer.exchange(message)) == first);
  }
  // The session of libcoap is long gone when the repeat comes.
  const auto message = request(Type::con, kPost, 900, "server", "a:2");
  const auto first = format_message(peer.exchange(message));
  for (int i = 0; i < 100; ++i) {
    UdpPeer other(server.bound[0], "127.0.1." + std::to_string(i + 1));
    other.exchange(request(Type::con, kPost, 900, "server", "a:2"));
  }
  CHECK(format_message(peer.exchange(message)) == first);
  CHECK(asked.count == 103);
  const auto counters = server.counters();
  CHECK(counters.requests == 103);
  CHECK(counters.duplicates == 11);
}

TEST_CASE("what a journal remembers is not handled again") {
  Asked asked;
  ServerThread server(on_loopback(), asked.handler());
  UdpPeer peer(server.bound[0]);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ::getsockname(peer.fd(), reinterpret_cast<sockaddr*>(&storage), &size);
  const auto self = SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), size);
  server.run([&](EventLoop&) {
    ServerReply reply;
    reply.code = code(2, 4);
    reply.payload = "Received 'a:1'";
    server.server->remember(self, 77, "tk", "a:1", reply);
  });
  const auto answer = peer.exchange(request(Type::con, kPost, 77, "server", "a:1"));
  CHECK(answer.payload == "Received 'a:1'");
  CHECK(asked.count == 0);
}

TEST_CASE("block-wise uploads arrive whole while a thousand others post") {
  Asked asked;
  ServerThread server(on_loopback(), asked.handler());
  std::atomic<bool> stop{false};
  std::atomic<unsigned> posted{0};
  std::thread others([&] {
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    ::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any);
    timeval limit{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_storage to{};
    const auto to_size = server.bound[0].to(to);
    for (unsigned i = 0; !stop || i < 3000; ++i) {
      auto datagram =
          format_message(request(Type::con, kPost, static_cast<std::uint16_t>(i), "server", "x:1"));
      char control[CMSG_SPACE(sizeof(in_pktinfo))] = {};
      iovec data{datagram.data(), datagram.size()};
      msghdr header{};
      header.msg_name = &to;
      header.msg_namelen = to_size;
      header.msg_iov = &data;
      header.msg_iovlen = 1;
      header.msg_control = control;
      header.msg_controllen = sizeof control;
      auto* const item = CMSG_FIRSTHDR(&header);
      item->cmsg_level = IPPROTO_IP;
      item->cmsg_type = IP_PKTINFO;
      item->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
      in_pktinfo info{};
      info.ipi_spec_dst.s_addr = htonl(0x7F030000U + i % 1000);
      std::memcpy(CMSG_DATA(item), &info, sizeof info);
      if (::sendmsg(fd, &header, 0) < 0) break;
      char answer[256];
      if (::recv(fd, answer, sizeof answer, 0) > 0) ++posted;
    }
    ::close(fd);
  });
  {
    UdpPeer peer(server.bound[0]);
    const auto body = body_of(5000);
    for (const auto method : {kPut, kPost}) {
      const auto last = upload(peer, method, body, static_cast<std::uint16_t>(method * 100), 20ms);
      CHECK(code_text(last.code) == "2.04");
      CHECK(last.uint_option(option::kBlock1) == Block{4, false, 6}.encode());
      CHECK(last.uint_option(option::kBlock2) == Block{0, true, 6}.encode());
      CHECK(last.payload == ("Received '" + body).substr(0, 1024));
    }
    const std::lock_guard lock(asked.mutex);
    unsigned whole = 0;
    for (std::size_t i = 0; i < asked.payloads.size(); ++i) {
      if (asked.payloads[i] == body) ++whole;
      if (asked.payloads[i] != body) REQUIRE(asked.payloads[i] == "x:1");
    }
    CHECK(whole == 2);
  }
  stop = true;
  others.join();
  CHECK(posted >= 1000);
}

TEST_CASE("uploads are refused in pieces that make no whole") {
  Asked asked;
  auto options = on_loopback();
  options.max_upload = 2048;
  ServerThread server(std::move(options), asked.handler());
  UdpPeer peer(server.bound[0]);
  const std::string full(1024, 'x');
  CHECK(code_text(peer.exchange(block1(request(Type::con, kPut, 1, "a", full), {1, true, 6})).code) ==
        "4.08");
  CHECK(code_text(peer.exchange(block1(request(Type::con, kPut, 2, "a", full), {0, true, 6})).code) ==
        "2.31");
  const auto repeated = block1(request(Type::con, kPut, 3, "a", full), {1, true, 6});
  CHECK(code_text(peer.exchange(repeated).code) == "2.31");
  CHECK(code_text(peer.exchange(repeated).code) == "2.31");
  const auto large = peer.exchange(block1(request(Type::con, kPut, 4, "a", "x"), {2, false, 6}));
  CHECK(code_text(large.code) == "4.13");
  CHECK(large.uint_option(option::kSize1) == 2048);
  CHECK(code_text(peer.exchange(block1(request(Type::con, kPut, 5, "a", "x"), {0, true, 6})).code) == "4.00");
  CHECK(code_text(peer.exchange(block1(request(Type::con, kPut, 6, "a", full), {0, true, 7})).code) ==
        "4.00");
  CHECK(asked.count == 0);
  CHECK(server.counters().uploads_refused == 3);
}

TEST_CASE("a large answer leaves block by block, from one call of the handler") {
  const auto body = body_of(5000);
  std::atomic<unsigned> calls{0};
  ServerThread server(on_loopback(), [&](const ServerRequest&, Responder responder) {
    ++calls;
    ServerReply reply;
    reply.payload = body;
    reply.content_format = 40;
    responder.reply(std::move(reply));
  });
  for (const auto method : {kGet, kPost}) {
    UdpPeer peer(server.bound[0]);
    calls = 0;
    std::string got;
    std::string etag;
    for (std::uint16_t number = 0;; ++number) {
      auto ask = request(Type::con, method, number, "large");
      if (number > 0) ask.add_uint(option::kBlock2, Block{number, false, 6}.encode());
      const auto answer = peer.exchange(ask);
      REQUIRE(code_text(answer.code) == "2.05");
      REQUIRE(answer.uint_option(option::kContentFormat) == 40);
      const auto etags = answer.string_options(option::kEtag);
      REQUIRE(etags.size() == 1);
      if (number == 0) etag = etags[0];
      REQUIRE(etags[0] == etag);
      const auto block = Block::decode(static_cast<std::uint32_t>(*answer.uint_option(option::kBlock2)));
      REQUIRE(block.number == number);
      got += answer.payload;
      CHECK(format_message(peer.exchange(ask)) == format_message(answer));
      if (!block.more) break;
    }
    CHECK(got == body);
    CHECK(calls == 1);
  }
  // Without a first block: a GET asks again, a POST must not.
  UdpPeer peer(server.bound[0]);
  auto ask = request(Type::con, kGet, 50, "other");
  ask.add_uint(option::kBlock2, Block{3, false, 4}.encode());
  CHECK(peer.exchange(ask).payload == body.substr(768, 256));
  ask = request(Type::con, kPost, 51, "other");
  ask.add_uint(option::kBlock2, Block{3, false, 4}.encode());
  CHECK(code_text(peer.exchange(ask).code) == "4.08");
  ask = request(Type::con, kGet, 52, "other");
  ask.add_uint(option::kBlock2, Block{400, false, 6}.encode());
  CHECK(code_text(peer.exchange(ask).code) == "4.00");
}
