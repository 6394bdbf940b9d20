// A load of CON POSTs from many source addresses.
//
// With --join the nodes first say alive and answer the gateway's discovery. Every answer is checked: its
// token, its message id and its code. A request without an answer within a second is lost, and is not
// repeated.

#include <memory>

#include "requests.h"
#include "udp_nodes.h"

namespace {

class Load {
 public:
  explicit Load(const bench::Options& options)
      : nodes_(std::max<std::size_t>(1, options.count("nodes"))),
        window_(std::clamp<std::size_t>(options.count("window"), 1, bench::Requests::kTable / 2)),
        echo_(options.flag("echo")),
        any_code_(options.flag("any-code")),
        prefix_(options.text("prefix")),
        pids_(options.text("pids")),
        joined_(nodes_),
        asked_(nodes_),
        message_ids_(nodes_),
        udp_(options.text("base"), static_cast<std::uint16_t>(options.count("source-port")),
             static_cast<std::uint16_t>(options.count("port"))) {
    for (std::size_t i = 0; i < nodes_; ++i)
      message_ids_[i] = static_cast<std::uint16_t>(i * 7919 + bench::now_us());
  }

  /// Every node says alive, `window` of them at a time, until each was answered and asked for its value.
  bool join(double patience_s) {
    const auto start = bench::now_us();
    const auto end = start + static_cast<std::uint64_t>(patience_s * 1e6);
    std::size_t next = 0;
    std::size_t answered_before = 0;
    auto progress_at = start;
    while (joined_count_ < nodes_ || asked_count_ < nodes_) {
      const auto now = bench::now_us();
      if (now > end) return false;
      if (joined_count_ + asked_count_ != answered_before) {
        answered_before = joined_count_ + asked_count_;
        progress_at = now;
      }
      if (now - progress_at > 2 * bench::Requests::kLostAfterUs) {
        next = 0;  // some were lost: once more for those not answered
        progress_at = now;
      }
      std::size_t under_way = next > joined_count_ ? next - joined_count_ : 0;
      while (next < nodes_ && under_way < std::min<std::size_t>(window_, 128)) {
        if (!joined_[next]) {
          send_alive(next);
          ++under_way;
        }
        ++next;
      }
      receive(now + 2000);
    }
    udp_.flush();
    join_seconds_ = static_cast<double>(bench::now_us() - start) / 1e6;
    return true;
  }

  void run(double seconds, double rate) {
    requests_.run(
        seconds, rate, window_, pids_, [this](std::uint64_t due_us) { return send_post(due_us); },
        [this](std::uint64_t until_us) { receive(until_us); });
  }

  /// The same without counting: caches and sessions are as they are later on.
  void warm(double seconds, double rate) {
    run(seconds, rate);
    requests_.forget();
  }

  void print() const { requests_.print(nodes_, join_seconds_, "\"gets\":" + std::to_string(gets_) + ","); }

  [[nodiscard]] bool clean() const { return requests_.clean(); }

 private:
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

  void send_alive(std::size_t index) {
    // The token of an alive tells its node; it is not of the requests that are counted.
    char* at = write_head(udp_.next(), message_ids_[index]++, kAliveMark | index, "alive");
    at += std::snprintf(at, 64, "alive:%s-%zu", prefix_.c_str(), index);
    udp_.send(at, index);
  }

  bool send_post(std::uint64_t due_us) {
    const auto index = turn_;
    turn_ = turn_ + 1 == nodes_ ? 0 : turn_ + 1;
    const auto message_id = message_ids_[index]++;
    const auto sequence = requests_.remember(due_us, message_id);
    char* at = write_head(udp_.next(), message_id, sequence, "server");
    // The value is the time at which it was due, so that whoever receives it can tell how old it is.
    at += std::snprintf(at, 64, "temperature:%llu°C", static_cast<unsigned long long>(due_us));
    udp_.send(at, index);
    return true;
  }

  void receive(std::uint64_t until_us) {
    udp_.receive(until_us, [this](const msghdr& header, const unsigned char* bytes, std::size_t size,
                                  std::uint64_t now) { take(header, bytes, size, now); });
  }

  void take(const msghdr& header, const unsigned char* bytes, std::size_t size, std::uint64_t now) {
    if (size < 4 || (bytes[0] >> 6) != 1) return requests_.wrong();
    const auto klass = bytes[1] >> 5;
    if (klass == 0 && !echo_) {
      if (bytes[1] != 0) serve(header, bytes, size);
      return;
    }
    std::uint64_t sequence = 0;
    if ((bytes[0] & 0xF) != 8 || size < 12) return requests_.wrong();
    std::memcpy(&sequence, bytes + 4, 8);
    if ((sequence & kAliveMark) != 0) {
      const auto index = static_cast<std::size_t>(sequence & ~kAliveMark);
      if (klass != 2) {
        requests_.refused();
      } else if (index < nodes_ && !joined_[index]) {
        joined_[index] = true;
        ++joined_count_;
      }
      return;
    }
    std::uint16_t message_id = 0;
    if (!requests_.find(sequence, message_id)) return;
    if (message_id != static_cast<std::uint16_t>(bytes[2] << 8 | bytes[3])) requests_.wrong();
    if (!echo_ && !any_code_ && klass != 2) requests_.refused();
    requests_.settle(sequence, now);
  }

  /// The gateway's discovery: GET /.well-known/core, then GET /temperature. Any other path is 4.04.
  void serve(const msghdr& header, const unsigned char* bytes, std::size_t size) {
    ++gets_;
    const std::size_t token_size = bytes[0] & 0xF;
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    const bool core = text.find("core") != std::string_view::npos;
    const bool value = text.find("temperature") != std::string_view::npos;
    char* at = udp_.next();
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
    const auto local = bench::UdpNodes::destination(header);
    udp_.send(at, local, *static_cast<const sockaddr_in*>(header.msg_name));
    const auto index = udp_.index_of(local);
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
  std::string pids_;
  std::vector<bool> joined_;
  std::vector<bool> asked_;
  std::size_t joined_count_ = 0;
  std::size_t asked_count_ = 0;
  std::size_t gets_ = 0;
  std::vector<std::uint16_t> message_ids_;
  bench::UdpNodes udp_;
  bench::Requests requests_;
  std::size_t turn_ = 0;
  double join_seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = bench::load_options(argc, argv,
                                           {{"port", "5690"},
                                            {"source-port", "5683"},
                                            {"base", "127.16.0.1"},
                                            {"warm", "0.5"},
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
