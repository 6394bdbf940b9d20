#include <iterator>
#include <map>
#include <set>
#include <string>

#include "core/base/log.h"
#include "core/mqttsn/gateway_core.h"
#include "fuzz.h"
#include "mqttsn_input.h"

// Clients, messages and a clock that do whatever the input says: every datagram that leaves can be read, what
// is subscribed upstream is what somebody subscribed, and the bounds hold. Input: events, each a byte that
// says which and bytes for its particulars.

using namespace aiot;
using namespace aiot::mqttsn;

namespace {

class World final : private GatewayEffects {
 public:
  explicit World(std::string_view input) : input_(input) { log::set_level(log::Level::error); }

  void run() {
    while (!input_.empty()) {
      event();
      core_.tick(now_);
      check();
    }
    for (const auto& [id, session] : saved_) again_.restore(session, now_);
    again_.tick(now_ + std::chrono::hours(1));
  }

 private:
  static std::string topic(std::uint8_t which) {
    static const char* const kTopics[] = {"a", "up", "a/b", "a/+", "#", "+/b", "a/b/c", "$S/x", "", "a#"};
    return kTopics[which % std::size(kTopics)];
  }

  void event() {
    const auto what = input_.byte();
    const auto from = SocketAddress::parse("10.0.0." + std::to_string(1 + what % 3) + ":1885");
    switch ((what >> 2) % 8) {
      case 0: return core_.received(*from, input_.some(), now_);
      case 1:
        return void(core_.deliver(
            {topic(input_.byte()), std::string(input_.some()), input_.byte() % 3, (input_.byte() & 1) != 0},
            now_));
      case 2: now_ += std::chrono::seconds(input_.byte()); return;
      case 3: return store();
      default: break;
    }
    auto [packet, flags] = input_.packet();
    packet.message_id = input_.byte() % 8;
    packet.duration = static_cast<std::uint16_t>(packet.topic_id * 10);
    packet.return_code = static_cast<ReturnCode>(input_.byte() % 4);
    packet.has_duration = (flags & 1) != 0;
    packet.data = packet.type == Type::connect ? "c" + std::to_string(flags % 5) : topic(input_.byte());
    const auto datagram = format_packet(packet);
    core_.received(*from, what < 64 ? format_forwarded(0, "n", datagram) : datagram, now_);
  }
  void store() {
    if (tickets_.empty()) return;
    const auto ticket = *tickets_.begin();
    tickets_.erase(ticket);
    core_.stored(ticket, input_.byte() % 4 != 0);
  }
  void check() {
    const auto counters = core_.counters();
    FUZZ_CHECK(counters.sessions <= options().sessions + 3);  // connected ones are not turned out
    FUZZ_CHECK(counters.queued <= counters.sessions * options().queued_messages);
    std::size_t queued = 0;
    std::set<std::string> wanted;
    for (const auto& [id, saved] : saved_) {
      const auto* session = core_.find(id);
      FUZZ_CHECK(session != nullptr);
      queued += session->queue.size();
      for (const auto& [filter, qos] : session->subscriptions) wanted.insert(filter);
    }
    FUZZ_CHECK(queued <= counters.queued);
    FUZZ_CHECK(wanted == upstream_);
  }

  static GatewayOptions options() {
    return {.retry_after = std::chrono::seconds(1),
            .retries = 2,
            .predefined = {{3, "a/b"}},
            .sessions = 3,
            .topics = 4,
            .subscriptions = 3,
            .queued_messages = 4};
  }
  void send(const Peer& to, std::string datagram) override {
    std::string_view packet = datagram;
    if (!to.node.empty()) {
      const auto forwarded = parse_forwarded(datagram);
      FUZZ_CHECK(forwarded && forwarded->node == to.node);
      packet = forwarded->packet;
    }
    FUZZ_CHECK(parse_packet(packet));
  }
  void publish(Ticket ticket, const std::string&, Message message) override {
    FUZZ_CHECK(mqttsn::is_topic_name(message.topic) && message.qos >= 0 && message.qos <= 2);
    if (ticket != 0) FUZZ_CHECK(tickets_.insert(ticket).second);
  }
  void subscribe(const std::string& filter) override { FUZZ_CHECK(upstream_.insert(filter).second); }
  void unsubscribe(const std::string& filter) override { FUZZ_CHECK(upstream_.erase(filter) == 1); }
  void wants_retained(const std::string& client_id, const std::string& filter, int) override {
    FUZZ_CHECK(!client_id.empty() && mqttsn::is_topic_filter(filter));
  }
  void changed(const Session& session, SessionChange change) override {
    if (change.kind == SessionChange::Kind::gone) {
      saved_.erase(session.client_id);
    } else {
      saved_.insert_or_assign(session.client_id, session);
    }
  }

  /// Takes what the first one saved.
  struct Quiet final : GatewayEffects {
    void send(const Peer&, std::string datagram) override { FUZZ_CHECK(!datagram.empty()); }
    void publish(Ticket, const std::string&, Message) override {}
    void subscribe(const std::string&) override {}
    void unsubscribe(const std::string&) override {}
    void wants_retained(const std::string&, const std::string&, int) override {}
    void changed(const Session&, SessionChange) override {}
  };

  FuzzInput input_;
  TimePoint now_ = TimePoint(std::chrono::hours(1));
  std::set<Ticket> tickets_;
  std::set<std::string> upstream_;
  std::map<std::string, Session> saved_;
  GatewayCore core_{options(), *this};
  Quiet quiet_;
  GatewayCore again_{options(), quiet_};
};

}  // namespace

void fuzz_one(std::string_view input) { World(input).run(); }
