// A load of MQTT-SN PUBLISH at QoS 1 from many clients, each at an address of its own.
//
// Each client CONNECTs, says node/check, and REGISTERs the topic of its value; then it publishes, the next
// message when the PUBACK of the one before has come (section 6.6: one at a time). Every PUBACK is checked:
// its topic, its message id and its return code. A message without a PUBACK within a second is lost, and is
// not repeated.

#include <memory>

#include "requests.h"
#include "udp_nodes.h"

namespace {

enum Type : unsigned char {
  kConnect = 0x04,
  kConnack = 0x05,
  kRegister = 0x0A,
  kRegack = 0x0B,
  kPublish = 0x0C,
  kPuback = 0x0D
};
constexpr std::uint64_t kRetryUs = 1'000'000;

struct Node {
  enum class Step { connect, register_check, check, register_value, joined };
  Step step = Step::connect;
  std::uint64_t asked_us = 0;  ///< while it joins: when it last asked
  std::uint64_t sequence = 0;  ///< of the message under way
  std::uint16_t topic = 0, message_id = 0;
};

class Load {
 public:
  explicit Load(const bench::Options& options)
      : window_(std::max<std::size_t>(1, options.count("window"))),
        echo_(options.flag("echo")),
        prefix_(options.text("prefix")),
        pids_(options.text("pids")),
        nodes_(std::clamp<std::size_t>(options.count("nodes"), 1, bench::Requests::kTable / 2)),
        udp_(options.text("base"), static_cast<std::uint16_t>(options.count("source-port")),
             static_cast<std::uint16_t>(options.count("port"))) {
    if (!echo_) return;
    joined_ = nodes_.size();
    for (auto& node : nodes_) node.step = Node::Step::joined;
  }

  /// All clients, 128 of them at a time; what is not answered is asked again.
  bool join(double patience_s) {
    const auto start = bench::now_us();
    const auto end = start + static_cast<std::uint64_t>(patience_s * 1e6);
    std::size_t begun = 0;
    while (joined_ < nodes_.size()) {
      const auto now = bench::now_us();
      if (now > end) return false;
      while (begun < nodes_.size() && begun - joined_ < 128) ask(begun++, now);
      if (now > retry_at_) {
        retry_at_ = now + kRetryUs / 4;
        for (std::size_t i = 0; i < begun; ++i) {
          if (nodes_[i].step != Node::Step::joined && nodes_[i].asked_us + kRetryUs < now) ask(i, now);
        }
      }
      receive(now + 2000);
    }
    join_seconds_ = static_cast<double>(bench::now_us() - start) / 1e6;
    return true;
  }

  void run(double seconds, double rate) {
    requests_.run(
        seconds, rate, window_, pids_, [this](std::uint64_t due_us) { return send_publish(due_us); },
        [this](std::uint64_t until_us) { receive(until_us); });
  }

  void print() const { requests_.print(nodes_.size(), join_seconds_); }
  [[nodiscard]] bool clean() const { return requests_.clean(); }

 private:
  static char* put16(char* at, std::uint16_t value) {
    *at++ = static_cast<char>(value >> 8);
    *at++ = static_cast<char>(value & 0xFF);
    return at;
  }
  static std::uint16_t get16(const unsigned char* at) {
    return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
  }
  /// Sets the length of the packet from `start` to `end` and sends it.
  void finish(char* start, const char* end, std::size_t index) {
    *start = static_cast<char>(end - start);
    udp_.send(end, index);
  }

  /// What the client asks next, or once more, on its way in.
  void ask(std::size_t index, std::uint64_t now) {
    auto& node = nodes_[index];
    node.asked_us = now;
    char* const start = udp_.next();
    char* at = start + 1;
    switch (node.step) {
      case Node::Step::connect:
        *at++ = kConnect;
        *at++ = 0x04;            // CleanSession
        *at++ = 0x01;            // ProtocolId
        at = put16(at, 0xFFFF);  // Duration: longer than any bench
        at += std::snprintf(at, 64, "%s-%zu", prefix_.c_str(), index);
        break;
      case Node::Step::register_check:
      case Node::Step::register_value:
        *at++ = kRegister;
        at = put16(at, 0);
        at = put16(at, ++node.message_id);
        at += node.step == Node::Step::register_check
                  ? std::snprintf(at, 64, "node/check")
                  : std::snprintf(at, 64, "node/%s-%zu/value", prefix_.c_str(), index);
        break;
      case Node::Step::check:
        at = write_publish_head(at, node);
        at += std::snprintf(at, 64, "{\"id\":\"%s-%zu\"}", prefix_.c_str(), index);
        break;
      case Node::Step::joined: return;
    }
    finish(start, at, index);
  }

  static char* write_publish_head(char* at, Node& node) {
    if (++node.message_id == 0) node.message_id = 1;
    *at++ = kPublish;
    *at++ = 0x20;  // QoS 1, a registered topic
    at = put16(at, node.topic);
    return put16(at, node.message_id);
  }

  /// The next message of the next client that waits for nothing; false when all wait.
  bool send_publish(std::uint64_t due_us) {
    for (std::size_t tried = 0; tried < nodes_.size(); ++tried) {
      const auto index = turn_;
      turn_ = turn_ + 1 == nodes_.size() ? 0 : turn_ + 1;
      auto& node = nodes_[index];
      if (requests_.waits(node.sequence)) continue;
      node.sequence = requests_.remember(due_us);
      char* const start = udp_.next();
      char* at = write_publish_head(start + 1, node);
      // The value is the time at which it was due, so that whoever receives it can tell how old it is.
      at += std::snprintf(at, 64, "{\"value\":%llu}", static_cast<unsigned long long>(due_us));
      finish(start, at, index);
      return true;
    }
    return false;
  }

  void receive(std::uint64_t until_us) {
    udp_.receive(until_us, [this](const msghdr& header, const unsigned char* bytes, std::size_t size,
                                  std::uint64_t now) {
      const auto index = udp_.index_of(bench::UdpNodes::destination(header));
      if (index >= nodes_.size() || size < 3 || bytes[0] != size) return requests_.wrong();
      take(index, bytes, size, now);
    });
  }

  void take(std::size_t index, const unsigned char* bytes, std::size_t size, std::uint64_t now) {
    auto& node = nodes_[index];
    const auto type = bytes[1];
    if (node.step != Node::Step::joined) return take_joining(index, bytes, size, now);
    if (type != (echo_ ? kPublish : kPuback) || size < 7) {
      // A late answer to what was asked twice on the way in is no mistake.
      return type == kConnack || type == kRegack ? requests_.late() : requests_.wrong();
    }
    const auto* ids = bytes + (echo_ ? 3 : 2);
    if (get16(ids + 2) != node.message_id || !requests_.waits(node.sequence)) return requests_.late();
    if (get16(ids) != node.topic) requests_.wrong();
    if (!echo_ && bytes[6] != 0) requests_.refused();
    requests_.settle(node.sequence, now);
  }

  void take_joining(std::size_t index, const unsigned char* bytes, std::size_t size, std::uint64_t now) {
    using Step = Node::Step;
    auto& node = nodes_[index];
    const auto type = bytes[1];
    if (node.step == Step::connect) {
      if (type != kConnack) return;
      if (bytes[2] != 0) return requests_.refused();
      node.step = Step::register_check;
    } else {
      const bool registers = node.step != Step::check;
      if (type != (registers ? kRegack : kPuback) || size != 7 || get16(bytes + 4) != node.message_id) return;
      if (bytes[6] != 0) return requests_.refused();
      if (registers) node.topic = get16(bytes + 2);
      node.step = node.step == Step::register_check ? Step::check
                  : node.step == Step::check        ? Step::register_value
                                                    : Step::joined;
      if (node.step == Step::joined) {
        ++joined_;
        return;
      }
    }
    ask(index, now);
  }

  std::size_t window_;
  bool echo_;
  std::string prefix_;
  std::string pids_;
  std::vector<Node> nodes_;
  bench::UdpNodes udp_;
  bench::Requests requests_;
  std::size_t joined_ = 0;
  std::size_t turn_ = 0;
  std::uint64_t retry_at_ = 0;
  double join_seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = bench::load_options(argc, argv,
                                           {{"port", "1885"},
                                            {"source-port", "10000"},
                                            {"base", "127.16.0.1"},
                                            {"join-only", "no"},
                                            {"echo", "no"}});
  auto load = std::make_unique<Load>(options);
  if (!load->join(options.number("join-patience"))) {
    load->print();
    bench::die("not every client was connected and registered in time");
  }
  if (!options.flag("join-only")) load->run(options.number("seconds"), options.number("rate"));
  load->print();
  return load->clean() ? 0 : 1;
}
