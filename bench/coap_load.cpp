// A load of CON POSTs from many source addresses. One socket speaks for all of them (IP_PKTINFO chooses the
// source of each datagram), and datagrams travel 64 to a system call, so that the generator is not the
// bottleneck.
//
// With --join the nodes first say alive and answer the gateway's discovery. Every answer is checked: its
// token, its message id and its code. A request without an answer within a second is lost, and is not
// repeated.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "outgoing.h"
#include "support.h"

namespace {

using bench::kBatch;
constexpr std::size_t kTable = 1 << 17;  // outstanding requests at most, by sequence number
constexpr std::uint64_t kLostAfterUs = 1'000'000;

struct Slot {
  std::uint64_t sequence = 0;
  std::uint64_t due_us = 0;  // when it was to be sent: what latency counts from
  std::uint16_t message_id = 0;
  bool waiting = false;
};

class Load {
 public:
  explicit Load(const bench::Options& options)
      : nodes_(std::max<std::size_t>(1, options.count("nodes"))),
        window_(std::clamp<std::size_t>(options.count("window"), 1, kTable / 2)),
        echo_(options.flag("echo")),
        any_code_(options.flag("any-code")),
        prefix_(options.text("prefix")),
        joined_(nodes_),
        asked_(nodes_),
        message_ids_(nodes_),
        table_(kTable),
        fd_(open_socket(static_cast<std::uint16_t>(options.count("source-port")))),
        out_(fd_) {
    target_.sin_family = AF_INET;
    target_.sin_port = htons(static_cast<std::uint16_t>(options.count("port")));
    target_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in_addr base{};
    if (::inet_pton(AF_INET, options.text("base").c_str(), &base) != 1) bench::die("bad --base");
    base_ = ntohl(base.s_addr);
    for (std::size_t i = 0; i < nodes_; ++i)
      message_ids_[i] = static_cast<std::uint16_t>(i * 7919 + bench::now_us());
  }

  /// Every node says alive, `window` of them at a time, until each was answered and asked for its value.
  bool join(double patience_s) {
    const auto start = bench::now_us();
    const auto end = start + static_cast<std::uint64_t>(patience_s * 1e6);
    std::size_t next = 0;
    std::size_t under_way = 0;
    std::size_t answered_before = 0;
    auto progress_at = start;
    while (joined_count_ < nodes_ || asked_count_ < nodes_) {
      const auto now = bench::now_us();
      if (now > end) return false;
      if (joined_count_ + asked_count_ != answered_before) {
        answered_before = joined_count_ + asked_count_;
        progress_at = now;
      }
      if (now - progress_at > 2 * kLostAfterUs) {  // some were lost: once more for those not answered
        next = 0;
        under_way = 0;
        progress_at = now;
      }
      under_way = next > joined_count_ ? next - joined_count_ : 0;
      while (next < nodes_ && under_way < std::min<std::size_t>(window_, 128)) {
        if (!joined_[next]) {
          send_alive(next);
          ++under_way;
        }
        ++next;
      }
      out_.flush();
      receive(1);
    }
    out_.flush();
    join_seconds_ = static_cast<double>(bench::now_us() - start) / 1e6;
    return true;
  }

  /// As fast as `window` outstanding requests go, or at `rate` a second.
  void run(double seconds, double rate) {
    const auto start = start_us_ = bench::now_us();
    const auto end = start + static_cast<std::uint64_t>(seconds * 1e6);
    auto sweep_at = start + kLostAfterUs / 4;
    for (;;) {
      const auto now = bench::now_us();
      if (now >= end) break;
      if (rate > 0) {
        const auto due = static_cast<std::uint64_t>(static_cast<double>(now - start) * rate / 1e6);
        while (sent_ < due && outstanding_ < kTable / 2) {
          send_post(start + static_cast<std::uint64_t>(static_cast<double>(sent_) * 1e6 / rate));
        }
        out_.flush();
        const auto next = start + static_cast<std::uint64_t>(static_cast<double>(sent_ + 1) * 1e6 / rate);
        receive_until(std::min(next, end));
      } else {
        while (outstanding_ < window_) send_post(now);
        out_.flush();
        receive(1);
      }
      if (now > sweep_at) {
        sweep(now);
        sweep_at = now + kLostAfterUs / 4;
      }
    }
    seconds_ = static_cast<double>(bench::now_us() - start) / 1e6;
    answered_in_time_ = answered_;
    // What is still under way may come; then it is lost.
    const auto grace = bench::now_us() + kLostAfterUs;
    while (outstanding_ > 0 && bench::now_us() < grace) receive(10);
    lost_ += outstanding_;
  }

  /// The same without counting: caches and sessions are as they are later on.
  void warm(double seconds, double rate) {
    run(seconds, rate);
    sent_ = answered_ = answered_in_time_ = lost_ = late_ = 0;
    outstanding_ = 0;
    for (auto& slot : table_) slot.waiting = false;
    latency_ = {};
  }

  void print() const {
    std::printf(
        "{\"nodes\":%zu,\"start_us\":%llu,\"join_seconds\":%.3f,\"seconds\":%.3f,\"sent\":%llu,\"answered\":%"
        "llu,\"lost\":%llu,"
        "\"wrong\":%llu,\"refused\":%llu,\"late\":%llu,\"gets\":%llu,\"rate\":%.0f,\"p50_us\":%.0f,"
        "\"p99_us\":%.0f,\"p999_us\":%.0f,\"max_us\":%llu}\n",
        nodes_, ull(start_us_), join_seconds_, seconds_, ull(sent_), ull(answered_), ull(lost_), ull(wrong_),
        ull(refused_), ull(late_), ull(gets_),
        static_cast<double>(answered_in_time_) / std::max(seconds_, 1e-9), latency_.at(0.5),
        latency_.at(0.99), latency_.at(0.999), ull(latency_.most()));
  }

  [[nodiscard]] bool clean() const { return wrong_ == 0 && refused_ == 0; }

 private:
  static unsigned long long ull(std::uint64_t value) { return value; }

  static int open_socket(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) bench::die_errno("socket");
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    const int size = 16 * 1024 * 1024;
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
      ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) bench::die_errno("bind");
    return fd;
  }

  /// The address of node `index`: .1 to .254 in each /24 from the base.
  [[nodiscard]] in_addr source(std::size_t index) const {
    const auto host = base_ & 0xFF;
    const auto ordinal = static_cast<std::uint32_t>(index) + (host == 0 ? 0 : host - 1);
    in_addr address{};
    address.s_addr = htonl((base_ & 0xFFFFFF00) + ordinal / 254 * 256 + ordinal % 254 + 1);
    return address;
  }
  [[nodiscard]] std::size_t index_of(in_addr address) const {
    const auto host = base_ & 0xFF;
    const auto value = ntohl(address.s_addr);
    return ((value - (base_ & 0xFFFFFF00)) >> 8) * 254 + (value & 0xFF) - 1 - (host == 0 ? 0 : host - 1);
  }

  /// Header, token (the sequence number) and one Uri-Path; returns where the payload goes.
  static char* write_head(char* at, std::uint16_t message_id, std::uint64_t sequence, std::string_view path) {
    *at++ = 0x48;  // version 1, CON, token of 8 bytes
    *at++ = 0x02;  // POST
    *at++ = static_cast<char>(message_id >> 8);
    *at++ = static_cast<char>(message_id & 0xFF);
    std::memcpy(at, &sequence, 8);
    at += 8;
    *at++ = static_cast<char>(0xB0 | path.size());
    std::memcpy(at, path.data(), path.size());
    at += path.size();
    *at++ = static_cast<char>(0xFF);
    return at;
  }

  std::uint64_t remember(std::uint16_t message_id, std::uint64_t due_us) {
    const auto sequence = next_sequence_++;
    auto& slot = table_[sequence % kTable];
    if (slot.waiting) {
      --outstanding_;
      ++lost_;
    }
    slot = {sequence, due_us, message_id, true};
    ++outstanding_;
    return sequence;
  }

  void send_alive(std::size_t index) {
    // The token of an alive tells its node; it is not of the requests that are counted.
    char* start = out_.next();
    char* at = write_head(start, message_ids_[index]++, kAliveMark | index, "alive");
    at += std::snprintf(at, 64, "alive:%s-%zu", prefix_.c_str(), index);
    out_.add(static_cast<std::size_t>(at - start), source(index), target_);
  }

  void send_post(std::uint64_t due_us) {
    const auto index = turn_;
    turn_ = turn_ + 1 == nodes_ ? 0 : turn_ + 1;
    const auto message_id = message_ids_[index]++;
    const auto sequence = remember(message_id, due_us);
    char* start = out_.next();
    char* at = write_head(start, message_id, sequence, "server");
    // The value is the time at which it was due, so that whoever receives it can tell how old it is.
    at += std::snprintf(at, 64, "temperature:%llu°C", ull(due_us));
    out_.add(static_cast<std::size_t>(at - start), source(index), target_);
    ++sent_;
  }

  /// Counts as lost what has waited too long, oldest first.
  void sweep(std::uint64_t now) {
    for (; oldest_ < next_sequence_; ++oldest_) {
      auto& slot = table_[oldest_ % kTable];
      if (slot.sequence != oldest_ || !slot.waiting) continue;
      if (slot.due_us + kLostAfterUs > now) return;
      slot.waiting = false;
      --outstanding_;
      ++lost_;
    }
  }

  void receive_until(std::uint64_t until) {
    const auto now = bench::now_us();
    if (until > now + 1000) {
      receive(static_cast<int>((until - now) / 1000));
    } else {
      receive(0);
    }
  }

  /// Takes what has come, waiting up to `patience_ms` for the first.
  void receive(int patience_ms) {
    for (int round = 0; round < 8; ++round) {
      std::array<mmsghdr, kBatch> messages{};
      for (std::size_t i = 0; i < kBatch; ++i) {
        in_iovecs_[i] = {in_buffers_[i].data(), in_buffers_[i].size()};
        auto& header = messages[i].msg_hdr;
        header.msg_name = &in_names_[i];
        header.msg_namelen = sizeof in_names_[i];
        header.msg_iov = &in_iovecs_[i];
        header.msg_iovlen = 1;
        header.msg_control = in_controls_[i].data();
        header.msg_controllen = in_controls_[i].size();
      }
      const int count = ::recvmmsg(fd_, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
      if (count <= 0) {
        if (round > 0 || patience_ms == 0) return;
        pollfd waiting{fd_, POLLIN, 0};
        if (::poll(&waiting, 1, patience_ms) <= 0) return;
        continue;
      }
      const auto now = bench::now_us();
      for (int i = 0; i < count; ++i) {
        take(messages[static_cast<std::size_t>(i)].msg_hdr, messages[static_cast<std::size_t>(i)].msg_len,
             now);
      }
      if (count < static_cast<int>(kBatch)) return;
    }
  }

  void take(const msghdr& header, std::size_t size, std::uint64_t now) {
    const auto* bytes = static_cast<const unsigned char*>(header.msg_iov->iov_base);
    if (size < 4 || (bytes[0] >> 6) != 1) {
      ++wrong_;
      return;
    }
    const auto klass = bytes[1] >> 5;
    if (klass == 0 && !echo_) {
      if (bytes[1] != 0) serve(header, bytes, size);
      return;
    }
    std::uint64_t sequence = 0;
    if ((bytes[0] & 0xF) != 8 || size < 12) {
      ++wrong_;
      return;
    }
    std::memcpy(&sequence, bytes + 4, 8);
    if ((sequence & kAliveMark) != 0) {
      const auto index = static_cast<std::size_t>(sequence & ~kAliveMark);
      if (klass != 2) {
        ++refused_;
      } else if (index < nodes_ && !joined_[index]) {
        joined_[index] = true;
        ++joined_count_;
      }
      return;
    }
    auto& slot = table_[sequence % kTable];
    if (!slot.waiting || slot.sequence != sequence) {
      ++late_;
      return;
    }
    const auto message_id = static_cast<std::uint16_t>(bytes[2] << 8 | bytes[3]);
    if (message_id != slot.message_id) ++wrong_;
    if (!echo_ && !any_code_ && klass != 2) ++refused_;
    slot.waiting = false;
    --outstanding_;
    ++answered_;
    latency_.add(now > slot.due_us ? now - slot.due_us : 0);
  }

  /// The gateway's discovery: GET /.well-known/core, then GET /temperature. Any other path is 4.04.
  void serve(const msghdr& header, const unsigned char* bytes, std::size_t size) {
    ++gets_;
    const std::size_t token_size = bytes[0] & 0xF;
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    const bool core = text.find("core") != std::string_view::npos;
    const bool value = text.find("temperature") != std::string_view::npos;
    in_pktinfo info{};
    for (auto* cmsg = CMSG_FIRSTHDR(&header); cmsg != nullptr;
         cmsg = CMSG_NXTHDR(const_cast<msghdr*>(&header), cmsg)) {
      if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO) {
        std::memcpy(&info, CMSG_DATA(cmsg), sizeof info);
      }
    }
    char* start = out_.next();
    char* at = start;
    const bool confirmable = ((bytes[0] >> 4) & 3) == 0;
    *at++ = static_cast<char>((confirmable ? 0x60 : 0x50) | token_size);
    *at++ = static_cast<char>(core || value ? 0x45 : 0x84);
    *at++ = static_cast<char>(bytes[2]);
    *at++ = static_cast<char>(bytes[3]);
    std::memcpy(at, bytes + 4, token_size);
    at += token_size;
    if (core) {
      *at++ = static_cast<char>(0xC1);  // Content-Format: link-format
      *at++ = 40;
    }
    if (core || value) {
      *at++ = static_cast<char>(0xFF);
      const std::string_view body = core ? "</.well-known/core>,</temperature>" : "20.00°C";
      std::memcpy(at, body.data(), body.size());
      at += body.size();
    }
    out_.add(static_cast<std::size_t>(at - start), info.ipi_addr,
             *static_cast<const sockaddr_in*>(header.msg_name));
    const auto index = index_of(info.ipi_addr);
    if (value && index < nodes_ && !asked_[index]) {
      asked_[index] = true;
      ++asked_count_;
    }
  }

  static constexpr std::uint64_t kAliveMark = 1ULL << 63;

  std::size_t nodes_;
  std::size_t window_;
  bool echo_;
  bool any_code_;
  std::string prefix_;
  std::uint32_t base_ = 0;
  std::vector<bool> joined_;
  std::vector<bool> asked_;
  std::size_t joined_count_ = 0;
  std::size_t asked_count_ = 0;
  std::vector<std::uint16_t> message_ids_;
  std::vector<Slot> table_;
  int fd_;
  bench::Outgoing out_;
  sockaddr_in target_{};
  std::size_t turn_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t oldest_ = 1;  ///< nothing before it waits
  std::size_t outstanding_ = 0;
  std::uint64_t sent_ = 0, answered_ = 0, answered_in_time_ = 0, lost_ = 0, wrong_ = 0, refused_ = 0,
                late_ = 0, gets_ = 0;
  std::uint64_t start_us_ = 0;
  double seconds_ = 0;
  double join_seconds_ = 0;
  bench::Histogram latency_;
  std::array<std::array<char, 2048>, kBatch> in_buffers_;
  std::array<std::array<char, CMSG_SPACE(sizeof(in_pktinfo))>, kBatch> in_controls_;
  std::array<sockaddr_in, kBatch> in_names_;
  std::array<iovec, kBatch> in_iovecs_;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv,
                               {{"port", "5690"},
                                {"source-port", "5683"},
                                {"base", "127.16.0.1"},
                                {"prefix", "load"},
                                {"nodes", "1"},
                                {"window", "256"},
                                {"seconds", "3"},
                                {"warm", "0.5"},
                                {"rate", "0"},
                                {"join-patience", "60"},
                                {"join", "no"},
                                {"join-only", "no"},
                                {"echo", "no"},
                                {"any-code", "no"}});
  auto load = std::make_unique<Load>(options);
  if ((options.flag("join") || options.flag("join-only")) && !load->join(options.number("join-patience"))) {
    load->print();
    bench::die("not every node was answered and asked for its value in time");
  }
  if (!options.flag("join-only")) {
    if (options.number("warm") > 0) load->warm(options.number("warm"), options.number("rate"));
    load->run(options.number("seconds"), options.number("rate"));
  }
  load->print();
  return load->clean() ? 0 : 1;
}
