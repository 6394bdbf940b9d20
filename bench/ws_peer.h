#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support.h"

/// The least of RFC 6455 that a bench needs, on plain sockets: a handshake, masked frames out, frames in.
namespace bench {

inline void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// A client's frame. Its masking key is zero, which masks nothing and costs nothing.
inline void append_masked_frame(std::string& out, std::string_view payload, char opcode = 1) {
  out += static_cast<char>(0x80 | opcode);
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else {
    out += static_cast<char>(0x80 | 126);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size() & 0xFF);
  }
  out.append(4, '\0');
  out += payload;
}

/// Takes the bytes of one direction and gives out whole frames.
class FrameReader {
 public:
  /// `least`: so many bytes are read at once.
  explicit FrameReader(std::size_t least = 64 * 1024) : least_(least), buffer_(4 * least) {}

  /// Where to read into, and how much fits.
  char* space() {
    if (buffer_.size() - end_ < least_) {
      std::memmove(buffer_.data(), buffer_.data() + start_, end_ - start_);
      end_ -= start_;
      start_ = 0;
      if (buffer_.size() - end_ < least_) buffer_.resize(buffer_.size() * 2);
    }
    return buffer_.data() + end_;
  }
  [[nodiscard]] std::size_t room() const { return buffer_.size() - end_; }
  void filled(std::size_t size) { end_ += size; }

  /// The HTTP head once it is whole; empty before.
  std::string take_head() {
    const std::string_view text(buffer_.data() + start_, end_ - start_);
    const auto end = text.find("\r\n\r\n");
    if (end == std::string_view::npos) return {};
    std::string head(text.substr(0, end + 4));
    start_ += end + 4;
    return head;
  }

  /// Calls `take(opcode, payload)` for each whole frame.
  template <class Take>
  void frames(Take&& take) {
    for (;;) {
      const auto* at = reinterpret_cast<const unsigned char*>(buffer_.data() + start_);
      const auto left = end_ - start_;
      if (left < 2) return;
      std::size_t head = 2;
      std::uint64_t size = at[1] & 0x7F;
      if (size == 126) {
        head = 4;
        if (left < head) return;
        size = static_cast<std::uint64_t>(at[2]) << 8 | at[3];
      } else if (size == 127) {
        head = 10;
        if (left < head) return;
        size = 0;
        for (int i = 2; i < 10; ++i) size = size << 8 | at[i];
      }
      if ((at[1] & 0x80) != 0) head += 4;  // our own zero key: nothing to undo
      if (left < head + size) return;
      take(at[0] & 0xF, std::string_view(reinterpret_cast<const char*>(at) + head, size));
      start_ += head + size;
    }
  }

 private:
  std::size_t least_;
  std::vector<char> buffer_;
  std::size_t start_ = 0;
  std::size_t end_ = 0;
};

/// A connected WebSocket client; the handshake blocks, what follows does not.
class WsPeer {
 public:
  WsPeer(std::uint16_t port, const std::string& path, const std::string& subprotocol,
         std::size_t read_size = 64 * 1024)
      : reader_(read_size) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0) die_errno("socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die_errno("connect");
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::string head = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                       "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    if (!subprotocol.empty()) head += "Sec-WebSocket-Protocol: " + subprotocol + "\r\n";
    send_all(head + "\r\n");
    std::string answer;
    while (answer.empty()) {
      auto* space = reader_.space();
      const auto size = ::recv(fd_, space, reader_.room(), 0);
      if (size <= 0) die("the server closed the connection at the handshake for " + path);
      reader_.filled(static_cast<std::size_t>(size));
      answer = reader_.take_head();
    }
    if (answer.find(" 101 ") == std::string::npos)
      die("no WebSocket at " + path + ": " + answer.substr(0, answer.find('\r')));
    ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  }
  WsPeer(WsPeer&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), reader_(std::move(other.reader_)), out_(std::move(other.out_)) {}
  WsPeer& operator=(WsPeer&&) = delete;
  ~WsPeer() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] int fd() const { return fd_; }
  /// Queues a frame; flush() sends.
  void queue(std::string_view text) { append_masked_frame(out_, text); }
  [[nodiscard]] std::size_t queued() const { return out_.size(); }
  /// Sends what the socket takes.
  void flush() {
    std::size_t sent = 0;
    while (sent < out_.size()) {
      const auto size = ::send(fd_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
      if (size < 0) {
        if (errno == EAGAIN || errno == EINTR) break;
        die_errno("send");
      }
      sent += static_cast<std::size_t>(size);
    }
    out_.erase(0, sent);
  }
  /// Takes what has come; false once the connection has ended.
  template <class Take>
  bool receive(Take&& take) {
    for (int round = 0; round < 4; ++round) {
      auto* space = reader_.space();
      const auto room = reader_.room();
      const auto size = ::recv(fd_, space, room, 0);
      if (size == 0) return false;
      if (size < 0) return errno == EAGAIN || errno == EINTR;
      reader_.filled(static_cast<std::size_t>(size));
      reader_.frames([&](int opcode, std::string_view payload) {
        if (opcode == 9) {
          append_masked_frame(out_, payload, 10);
          flush();
        } else if (opcode == 1) {
          take(payload);
        }
      });
      if (static_cast<std::size_t>(size) < room) return true;
    }
    return true;
  }

 private:
  void send_all(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) die_errno("send");
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }

  int fd_ = -1;
  FrameReader reader_;
  std::string out_;
};

/// The time in an update's "data": its first run of at least 8 digits; 0 for none.
inline std::uint64_t stamp_of(std::string_view frame) {
  const auto data = frame.find("\"data\"");
  if (data == std::string_view::npos) return 0;
  std::uint64_t number = 0;
  int digits = 0;
  for (auto at = data + 6; at < frame.size(); ++at) {
    const char c = frame[at];
    if (c >= '0' && c <= '9') {
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
      ++digits;
    } else if (digits > 0 || c == '}') {
      break;
    }
  }
  return digits >= 8 ? number : 0;
}

}  // namespace bench
