#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "daemon/access/access_file.h"
#include "daemon/access/token.h"
#include "daemon/broker/broker.h"
#include "daemon/wire/key_file.h"
#include "fuzz.h"

// The whole broker on loopback, and up to ten peers that say what the input wants, as strangers or with good
// credentials: it goes on answering others, and at last stops in time. Input: lines, each a letter for what
// happens, a digit for the connection, and what is said; 0x01 stands for CR LF.

using namespace aiot;

namespace {

constexpr std::size_t kMaxLines = 64;
constexpr int kTurnsAfter = 4, kPatience = 20'000;

/// Files of the broker, made once.
struct Credentials {
  Credentials() {
    log::set_level(log::Level::error);
    FUZZ_CHECK(::mkdtemp(folder.data()) != nullptr);
    keys = folder + "/keys";
    users = folder + "/users";
    const auto made = wire::create_key_file(keys);
    FUZZ_CHECK(made.has_value());
    gateway = *wire::gateway_token(*made, "paris", WallTime());
    pyaiot = *wire::pyaiot_token(*made, WallTime());
    FUZZ_CHECK(access::change_access_file(users, [this](access::Contents& contents) -> Result<void> {
                 contents.tokens.push_back(token("1", admin, Role::admin));
                 contents.tokens.push_back(token("2", scoped, Role::operator_));
                 contents.tokens.back().scope = {{"n1"}, {"led"}};
                 return {};
               }).has_value());
  }
  ~Credentials() { std::filesystem::remove_all(folder); }

  static access::Token token(const std::string& id, const std::string& secret, Role role) {
    access::Token out;
    out.id = id;
    out.name = id;
    out.role = role;
    out.hash = access::digest(secret);
    return out;
  }

  std::string folder = "/tmp/aiot-fuzz-XXXXXX", keys, users, gateway, pyaiot;
  std::string admin = access::make_secret(), scoped = access::make_secret();
};

const Credentials& credentials() {
  static const Credentials made;
  return made;
}

/// One peer's socket, which never waits.
class Peer {
 public:
  explicit Peer(const SocketAddress& broker) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    // Resets when it closes: thousands of connections a second leave nothing behind.
    const linger reset{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    // From many addresses: those of one run out of ports, which the broker's end holds for a minute.
    static std::uint32_t made = 0;
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (++made % 50'000));
    FUZZ_CHECK(::bind(fd_, reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0);
    sockaddr_storage address{};
    const auto length = broker.to(address);
    FUZZ_CHECK(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), length) == 0);
  }
  ~Peer() { ::close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void say(std::string_view bytes) const {
    (void)::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  void end() const { ::shutdown(fd_, SHUT_WR); }
  /// What has come.
  [[nodiscard]] std::string hear() const {
    std::string out;
    std::array<char, 16384> some{};
    for (;;) {
      const auto got = ::recv(fd_, some.data(), some.size(), MSG_DONTWAIT);
      if (got <= 0) return out;
      out.append(some.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  int fd_;
};

std::string request(std::string_view method, std::string_view target, const std::string& token) {
  std::string out(method);
  out.append(" ").append(target).append(" HTTP/1.1\r\nhost: 127.0.0.1\r\n");
  if (!token.empty()) out.append("authorization: Bearer ").append(token).append("\r\n");
  return out;
}

std::string upgrade(std::string_view target, const std::string& token, std::string_view protocols) {
  std::string out = request("GET", target, token);
  out +=
      "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  if (!protocols.empty()) out.append("sec-websocket-protocol: ").append(protocols).append("\r\n");
  return out + "\r\n";
}

/// A client's text frame, whose mask is zero (RFC 6455 section 5.2).
std::string frame(std::string_view text) {
  std::string out = "\x81";
  if (text.size() < 126) {
    out.push_back(static_cast<char>(0x80 | text.size()));
  } else {
    out.push_back(static_cast<char>(0x80 | 126));
    out.push_back(static_cast<char>(text.size() >> 8));
    out.push_back(static_cast<char>(text.size() & 0xff));
  }
  out.append(4, '\0');
  return out.append(text);
}

/// The broker, of which a new one takes over after so many inputs: what they leave there is bounded.
class Host {
 public:
  static constexpr int kInputs = 200;

  broker::Broker& broker() {
    if (broker_ && ++inputs_ % kInputs == 0) {
      bool stopped = false;
      broker_->stop(std::chrono::seconds(5), [&](const Result<void>& done) {
        stopped = done.has_value();
        loop_->stop();
      });
      loop_->run();
      FUZZ_CHECK(stopped);
      broker_.reset();
    }
    if (!broker_) {
      broker::Options options;
      options.listen = *SocketAddress::parse("127.0.0.1:0");
      options.key_file = credentials().keys;
      options.access.file = credentials().users;
      options.max_connections = 16;
      options.dashboard = false;
      broker_ = broker::Broker::make(*loop_, std::move(options));
      FUZZ_CHECK(broker_->start().has_value());
    }
    return *broker_;
  }
  EventLoop& loop() { return *loop_; }

 private:
  std::unique_ptr<EventLoop> loop_ = make_uv_loop();
  std::unique_ptr<broker::Broker> broker_;
  int inputs_ = 0;
};

class World {
 public:
  World(std::string_view input, Host& host)
      : rest_(input), bound_(host.broker().bound()), loop_(host.loop()) {}

  void run() {
    loop_.post([this] { turn(); });
    loop_.run();
    FUZZ_CHECK(healthy_);
  }

 private:
  void turn() {
    for (auto& peer : peers_)
      if (peer) (void)peer->hear();
    if (!rest_.empty() && lines_ < kMaxLines) {
      ++lines_;
      const auto end = std::min(rest_.find('\n'), rest_.size());
      event(rest_.substr(0, end));
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
    } else if (++quiet_ == kTurnsAfter) {
      for (auto& peer : peers_) peer.reset();
      witness_ = std::make_unique<Peer>(bound_);
      witness_->say("GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    } else if (witness_) {
      heard_ += witness_->hear();
      FUZZ_CHECK(quiet_ < kPatience);
      if (heard_.find("ok\n") != std::string::npos) {
        healthy_ = heard_.rfind("HTTP/1.1 200", 0) == 0;
        return loop_.stop();
      }
    }
    loop_.post([this] { turn(); });
  }

  void event(std::string_view line) {
    if (line.size() < 2 || line[1] < '0' || line[1] > '9') return;
    auto& peer = peers_[static_cast<std::size_t>(line[1] - '0')];
    std::string text(line.substr(2));
    for (std::size_t at = 0; (at = text.find('\x01', at)) != std::string::npos; at += 2)
      text.replace(at, 1, "\r\n");
    if (line[0] == 'x') return peer.reset();
    if (!peer) peer = std::make_unique<Peer>(bound_);
    const auto& who = credentials();
    switch (line[0]) {
      case 'r': return peer->say(text);
      case 'e': return peer->end();
      case 't': return peer->say(frame(text));
      case 'a': return peer->say(request("GET", text, who.admin) + "\r\n");
      case 's': return peer->say(request("GET", text, who.scoped) + "\r\n");
      case 'p': return put(*peer, text);
      case 'c': return peer->say(upgrade("/ws", who.admin, "aiot.client.v1"));
      case 'd': return peer->say(upgrade("/ws", who.scoped, "aiot.client.v1"));
      case 'w': return peer->say(upgrade("/ws", who.admin, ""));
      case 'g': return peer->say(upgrade("/gw", who.gateway, "aiot.gateway.v1"));
      case 'y': return peer->say(upgrade("/gw", {}, "token, " + who.pyaiot));
      default: return;
    }
  }

  /// "p0METHOD target body".
  static void put(const Peer& peer, std::string_view text) {
    const auto first = std::min(text.find(' '), text.size());
    const auto second = std::min(text.find(' ', first + 1), text.size());
    const auto target = text.substr(std::min(first + 1, text.size()), second - std::min(first + 1, second));
    const auto body = text.substr(std::min(second + 1, text.size()));
    auto out = request(text.substr(0, first), target, credentials().admin);
    out += "content-type: application/json\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n";
    peer.say(out.append(body));
  }

  std::string_view rest_;
  SocketAddress bound_;
  EventLoop& loop_;
  std::array<std::unique_ptr<Peer>, 10> peers_;
  std::unique_ptr<Peer> witness_;
  std::string heard_;
  std::size_t lines_ = 0;
  int quiet_ = 0;
  bool healthy_ = false;
};

}  // namespace

void fuzz_one(std::string_view input) {
  // Never destroyed: what it needs of its thread goes first.
  static Host& host = *new Host;
  World(input, host).run();
}
