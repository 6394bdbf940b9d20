// A load of CON POSTs from many nodes on DTLS, each with a session, an address and a socket of its own.
//
// Handshakes first (with a pre-shared key), `window` at a time; then every node says alive; then posts go
// round, `window` under way. A request without an answer within a second is lost, and is not repeated.

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>

#include "requests.h"

namespace {

std::string identity, key;

unsigned give_key(SSL*, const char*, char* name, unsigned name_size, unsigned char* bytes, unsigned size) {
  std::snprintf(name, name_size, "%s", identity.c_str());
  std::memcpy(bytes, key.data(), std::min<std::size_t>(key.size(), size));
  return static_cast<unsigned>(std::min<std::size_t>(key.size(), size));
}

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

struct Node {
  int fd = -1;
  std::unique_ptr<SSL, FreeSsl> ssl;
  bool open = false;
  std::uint64_t due = 0;  ///< of the request under way; 0: none
  std::uint16_t message_id = 0;
};

class Load {
 public:
  explicit Load(const bench::Options& options)
      : window_(std::max<std::size_t>(1, options.count("window"))),
        nodes_(std::max<std::size_t>(1, options.count("nodes"))),
        context_(SSL_CTX_new(DTLS_client_method())),
        epoll_(epoll_create1(0)) {
    rlimit limit{nodes_.size() + 64, nodes_.size() + 64};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) bench::die_errno("setrlimit");
    SSL_CTX_set_psk_client_callback(context_, give_key);
    SSL_CTX_set_cipher_list(context_, options.text("ciphers").c_str());
    to_.sin_family = AF_INET;
    to_.sin_port = htons(static_cast<std::uint16_t>(options.count("port")));
    inet_pton(AF_INET, "127.0.0.1", &to_.sin_addr);
  }

  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() {
    nodes_.clear();
    SSL_CTX_free(context_);
  }

  /// Seconds until all are open.
  double open_all(double patience) {
    const auto start = bench::now_us();
    std::size_t next = 0, open = 0, begun = 0;
    while (open < nodes_.size()) {
      if (static_cast<double>(bench::now_us() - start) > patience * 1e6)
        bench::die("handshakes took too long");
      while (next < nodes_.size() && begun - open < window_) {
        begin(next++);
        ++begun;
      }
      const auto go_on = [&](Node& node) {
        if (node.open || SSL_do_handshake(node.ssl.get()) != 1) return;
        node.open = true;
        ++open;
      };
      poll(20, go_on);
      // Not each time: a look at all of them costs more than a handshake.
      const auto now = bench::now_us();
      if (now - swept_ < 100'000) continue;
      swept_ = now;
      for (std::size_t i = 0; i < next; ++i) {
        if (nodes_[i].open) continue;
        (void)DTLSv1_handle_timeout(nodes_[i].ssl.get());
        go_on(nodes_[i]);
      }
    }
    return static_cast<double>(bench::now_us() - start) / 1e6;
  }

  /// One request from each node, or as many as come in so much time.
  void post(const char* path, bool once, double seconds) {
    const auto start = bench::now_us();
    const auto end = start + static_cast<std::uint64_t>(seconds * 1e6);
    std::size_t next = 0, under_way = 0;
    answered_ = lost_ = 0;
    latency_ = {};
    while (bench::now_us() < end && (!once || answered_ + lost_ < nodes_.size())) {
      for (; under_way < window_ && (!once || next < nodes_.size()); ++next) {
        auto& node = nodes_[next % nodes_.size()];
        if (node.due != 0) break;
        send(node, next % nodes_.size(), path, next);
        ++under_way;
      }
      poll(10, [&](Node& node) {
        char bytes[2048];
        for (int size = 0; (size = SSL_read(node.ssl.get(), bytes, sizeof bytes)) > 3;) {
          const auto code = static_cast<unsigned char>(bytes[1]);
          if (code > 0 && code < 32) {
            refuse(node, bytes);
          } else if (node.due != 0 && id_in(bytes) == node.message_id) {
            latency_.add(bench::now_us() - node.due);
            node.due = 0;
            --under_way;
            ++(code == 0x44 ? answered_ : lost_);
          }
        }
      });
      const auto now = bench::now_us();
      if (now - swept_ < 100'000) continue;
      swept_ = now;
      for (auto& node : nodes_) {
        if (node.due == 0 || now - node.due < bench::Requests::kLostAfterUs) continue;
        node.due = 0;
        --under_way;
        ++lost_;
      }
    }
    elapsed_ = static_cast<double>(bench::now_us() - start) / 1e6;
  }

  void print(double handshakes) const {
    std::printf(
        "{\"nodes\":%zu,\"handshakes_per_s\":%.0f,\"rate\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"lost\":%zu}"
        "\n",
        nodes_.size(), static_cast<double>(nodes_.size()) / handshakes,
        static_cast<double>(answered_) / elapsed_, latency_.at(0.5), latency_.at(0.99), lost_);
  }
  [[nodiscard]] std::size_t answered() const { return answered_; }

 private:
  void begin(std::size_t number) {
    auto& node = nodes_[number];
    node.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(0x7f0a0001U + static_cast<std::uint32_t>(number));  // 127.10.0.1 and on
    if (node.fd < 0 || bind(node.fd, reinterpret_cast<sockaddr*>(&from), sizeof from) != 0 ||
        connect(node.fd, reinterpret_cast<sockaddr*>(&to_), sizeof to_) != 0)
      bench::die_errno("a node's socket");
    node.ssl.reset(SSL_new(context_));
    auto* const bio = BIO_new_dgram(node.fd, BIO_CLOSE);
    BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &to_);
    SSL_set_bio(node.ssl.get(), bio, bio);
    SSL_set_connect_state(node.ssl.get());
    epoll_event event{EPOLLIN, {}};
    event.data.ptr = &node;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, node.fd, &event);
    (void)SSL_do_handshake(node.ssl.get());
  }

  void send(Node& node, std::size_t number, const char* path, std::size_t value) {
    const auto length = std::strlen(path);
    const auto id = ++node.message_id;
    std::string message{0x44, 0x02, static_cast<char>(id >> 8), static_cast<char>(id)};
    message.append(reinterpret_cast<const char*>(&number), 4);
    message += static_cast<char>(0xb0 + length);
    message += path;
    message += static_cast<char>(0xff);
    message += std::strcmp(path, "alive") == 0 ? "alive:dtls-" + std::to_string(number)
                                               : "temperature:" + std::to_string(value);
    node.due = bench::now_us();
    (void)SSL_write(node.ssl.get(), message.data(), static_cast<int>(message.size()));
  }

  /// The gateway asks what the node has: nothing.
  static void refuse(Node& node, const char* request) {
    std::string answer(request, 4 + (request[0] & 15));
    answer[0] = static_cast<char>(0x60 | (request[0] & 15));
    answer[1] = static_cast<char>(0x84);
    (void)SSL_write(node.ssl.get(), answer.data(), static_cast<int>(answer.size()));
  }

  static std::uint16_t id_in(const char* bytes) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[2]) << 8 |
                                      static_cast<unsigned char>(bytes[3]));
  }

  template <class Ready>
  void poll(int ms, Ready ready) {
    epoll_event events[256];
    const int count = epoll_wait(epoll_, events, 256, ms);
    for (int i = 0; i < count; ++i) ready(*static_cast<Node*>(events[i].data.ptr));
  }

  std::size_t window_;
  std::vector<Node> nodes_;
  SSL_CTX* context_;
  int epoll_;
  sockaddr_in to_{};
  bench::Histogram latency_;
  std::size_t answered_ = 0, lost_ = 0;
  std::uint64_t swept_ = 0;
  double elapsed_ = 1;
};

}  // namespace

int main(int argc, char** argv) {
  auto options = bench::load_options(
      argc, argv, {{"port", "5684"}, {"identity", "load"}, {"key", "bench"}, {"ciphers", "PSK-AES128-CCM8"}});
  identity = options.text("identity");
  key = options.text("key");
  Load load(options);
  const double handshakes = load.open_all(options.number("join-patience"));
  load.post("alive", true, options.number("join-patience"));
  if (load.answered() != options.count("nodes")) bench::die("not every node was let in");
  load.post("server", false, options.number("seconds"));
  load.print(handshakes);
}
