#include <set>
#include <string>

#include "core/mqttsn/client_core.h"
#include "core/mqttsn/topic.h"
#include "fuzz.h"

// A gateway, a user and a clock that do whatever the input says: every datagram that leaves can be read, each
// ticket is answered at most once, time never stands still, and the bounds hold. Input: events, each a byte
// that says which and bytes for its particulars.

using namespace aiot;
using namespace aiot::mqttsn;

namespace {

class World final : private ClientEffects {
 public:
  explicit World(std::string_view input) : input_(input) {
    ClientCoreOptions options;
    options.client_id = "c";
    const auto which = byte();
    options.clean_session = (which & 1) != 0;
    options.reconnect = (which & 2) != 0;
    options.register_each = (which & 4) != 0;
    if ((which & 8) != 0) options.will = Message{"w", "gone", 1, true};
    options.retries = (which & 16) != 0 ? -1 : 2;
    options.predefined = {{3, "a/b"}};
    options.queued = kQueued;
    core_.emplace(options, static_cast<ClientEffects&>(*this));
  }

  void run() {
    while (!input_.empty()) {
      event();
      FUZZ_CHECK(core_->tick(now_) > now_);
      FUZZ_CHECK(core_->queued() <= kQueued + kTopics);
    }
    core_->disconnect(now_);
    FUZZ_CHECK(core_->queued() == 0);
  }

 private:
  static constexpr std::size_t kQueued = 6;
  static constexpr std::size_t kTopics = 8;

  std::uint8_t byte() {
    if (input_.empty()) return 0;
    const auto out = static_cast<std::uint8_t>(input_.front());
    input_.remove_prefix(1);
    return out;
  }
  std::string_view some() {
    const auto out = input_.substr(0, byte() % 24);
    input_.remove_prefix(std::min(out.size(), input_.size()));
    return out;
  }
  static std::string topic(std::uint8_t which) {
    static const char* const kNames[kTopics] = {"a", "up", "a/b", "a/+", "#", "a/b/c", "", "a#"};
    return kNames[which % kTopics];
  }
  Ticket ticket() {
    open_.insert(++last_);
    return last_;
  }

  void event() {
    const auto what = byte();
    switch (what % 12) {
      case 0: return core_->received(some(), now_);
      case 1: now_ += std::chrono::milliseconds(byte() * 100); return;
      case 2: return core_->connect(now_);
      case 3:
        if (what < 48) return core_->disconnect(now_);
        return core_->wake(now_);
      case 4: return core_->sleep(std::chrono::seconds(byte()), now_);
      case 5: {
        const auto qos = byte() % 4 - 1;
        return core_->publish(ticket(), {topic(byte()), std::string(some()), qos, (what & 64) != 0}, now_);
      }
      case 6: return core_->subscribe(ticket(), topic(byte()), byte() % 3, now_);
      case 7: return core_->unsubscribe(ticket(), topic(byte()), now_);
      default: return packet();
    }
  }
  void packet() {
    Packet packet;
    packet.type = static_cast<Type>(byte() % 0x1E);
    const auto flags = byte();
    packet.flags = {(flags & 1) != 0,  (flags >> 1) % 4 - 1, (flags & 8) != 0,
                    (flags & 16) != 0, (flags & 32) != 0,    static_cast<TopicKind>(flags / 64 % 3)};
    packet.topic_id = byte() % 8;
    // Mostly an answer to what was asked last.
    packet.message_id = (flags & 128) != 0 ? byte() : last_message_id_;
    packet.return_code = static_cast<ReturnCode>(std::max(byte() % 8 - 4, 0));
    packet.data = topic(byte());
    core_->received(format_packet(packet), now_);
  }

  void send(std::string datagram) override {
    const auto packet = parse_packet(datagram);
    FUZZ_CHECK(packet);
    if (packet->message_id != 0) last_message_id_ = packet->message_id;
  }
  void connected() override { FUZZ_CHECK(core_->state() == ClientCore::State::active); }
  void lost(const Error& why) override { FUZZ_CHECK(!why.message.empty()); }
  void received(Message message) override {
    FUZZ_CHECK(mqttsn::is_topic_name(message.topic) && message.qos >= 0 && message.qos <= 2);
  }
  void done(Ticket ticket, Result<>) override { FUZZ_CHECK(open_.erase(ticket) == 1); }
  void asleep() override { FUZZ_CHECK(core_->state() == ClientCore::State::asleep); }

  std::string_view input_;
  TimePoint now_ = TimePoint(std::chrono::hours(1));
  std::set<Ticket> open_;
  Ticket last_ = 0;
  std::uint16_t last_message_id_ = 0;
  std::optional<ClientCore> core_;
};

}  // namespace

void fuzz_one(std::string_view input) { World(input).run(); }
