#include <set>
#include <string>

#include "core/mqttsn/client_core.h"
#include "core/mqttsn/topic.h"
#include "fuzz.h"
#include "mqttsn_input.h"

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
    const auto which = input_.byte();
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

  static std::string topic(std::uint8_t which) {
    static const char* const kNames[kTopics] = {"a", "up", "a/b", "a/+", "#", "a/b/c", "", "a#"};
    return kNames[which % kTopics];
  }
  Ticket ticket() {
    open_.insert(++last_);
    return last_;
  }

  void event() {
    const auto what = input_.byte();
    switch (what % 12) {
      case 0: return core_->received(input_.some(), now_);
      case 1: now_ += std::chrono::milliseconds(input_.byte() * 100); return;
      case 2: return core_->connect(now_);
      case 3:
        if (what < 48) return core_->disconnect(now_);
        return core_->wake(now_);
      case 4: return core_->sleep(std::chrono::seconds(input_.byte()), now_);
      case 5: {
        const auto qos = input_.byte() % 4 - 1;
        return core_->publish(
            ticket(), {topic(input_.byte()), std::string(input_.some()), qos, (what & 64) != 0}, now_);
      }
      case 6: return core_->subscribe(ticket(), topic(input_.byte()), input_.byte() % 3, now_);
      case 7: return core_->unsubscribe(ticket(), topic(input_.byte()), now_);
      default: return packet();
    }
  }
  void packet() {
    auto [packet, flags] = input_.packet();
    // Mostly an answer to what was asked last.
    packet.message_id = (flags & 128) != 0 ? input_.byte() : last_message_id_;
    packet.return_code = static_cast<ReturnCode>(std::max(input_.byte() % 8 - 4, 0));
    packet.data = topic(input_.byte());
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

  FuzzInput input_;
  TimePoint now_ = TimePoint(std::chrono::hours(1));
  std::set<Ticket> open_;
  Ticket last_ = 0;
  std::uint16_t last_message_id_ = 0;
  std::optional<ClientCore> core_;
};

}  // namespace

void fuzz_one(std::string_view input) { World(input).run(); }
