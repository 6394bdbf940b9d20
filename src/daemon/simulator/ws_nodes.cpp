#include <utility>

#include "core/base/backoff.h"
#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/ws/ws_client.h"
#include "daemon/simulator/descriptor_limit.h"
#include "daemon/simulator/join_queue.h"
#include "daemon/simulator/pyaiot_node.h"
#include "daemon/simulator/simulator.h"

namespace aiot::simulator {

namespace {

constexpr Duration kFirstBackoff = std::chrono::milliseconds(500);
constexpr Duration kLongestBackoff = std::chrono::seconds(30);
/// A node whose gateway does not read leaves values out.
constexpr std::size_t kBacklogBytes = 64UL * 1024;

class WsNodes final : public Simulation {
 public:
  WsNodes(EventLoop& loop, MessageOptions options) : loop_(loop), options_(std::move(options)) {}

  Result<void> start() override {
    auto blueprint = Blueprint::make(options_.resources, false);
    if (!blueprint) return std::move(blueprint).error();
    blueprint_ = *std::move(blueprint);
    if (auto reserved = reserve_descriptors(options_.nodes); !reserved) return reserved;
    endpoint_.host = options_.gateway.host();
    endpoint_.port = options_.gateway.port();
    members_.reserve(options_.nodes);
    for (std::size_t i = 0; i < options_.nodes; ++i) {
      const auto index = static_cast<std::uint32_t>(i);
      auto& member = *members_.emplace_back(std::make_unique<Member>(blueprint_, options_.first + i));
      member.post = loop_.make_timer([this, index] { post(index); });
      member.again = loop_.make_timer([this, index] {
        queue_.add(index);
        let_join();
      });
      queue_.add(index);
    }
    joining_ = loop_.make_timer([this] { let_join(); });
    joining_->start(Duration(0));
    return {};
  }
  [[nodiscard]] Counters counters() const override { return counters_; }

 private:
  struct Member {
    Member(const Blueprint& blueprint, std::size_t number) : node(blueprint, number) {}
    PyaiotNode node;
    std::unique_ptr<Timer> post, again;
    bool joining = false;
    bool joined = false;  ///< once: the gateway asked for its values
    Backoff backoff{kFirstBackoff, kLongestBackoff};
    std::unique_ptr<ws::WsClient> socket;
  };

  void let_join() {
    queue_.go_on([this](std::uint32_t index) { connect(index); });
  }

  void connect(std::uint32_t index) {
    auto& member = *members_[index];
    member.joining = true;
    ++counters_.alives_sent;
    ws::ClientOptions options;
    options.path = "/node?uid=" + member.node.uid();
    ws::WsClient::Callbacks callbacks;
    callbacks.received = [this, index](std::string_view message, bool /*binary*/) {
      received(index, message);
    };
    callbacks.closed = [this, index](const Error& why) { closed(index, why); };
    member.socket = ws::WsClient::connect(loop_, endpoint_, std::move(options), std::move(callbacks));
  }

  void received(std::uint32_t index, std::string_view message) {
    auto& member = *members_[index];
    std::string reply;
    switch (member.node.receive_json(message, reply)) {
      case PyaiotNode::Heard::nothing: ++counters_.malformed; break;
      case PyaiotNode::Heard::request:
        ++counters_.requests_served;
        asked(member);
        break;
      case PyaiotNode::Heard::write: ++counters_.writes; break;
    }
    if (!reply.empty()) member.socket->send_text(std::move(reply));
  }

  /// The gateway took it in.
  void asked(Member& member) {
    member.backoff.reset();
    end_joining(member);
    if (!std::exchange(member.joined, true)) ++counters_.joined;
    if (options_.interval > Duration::zero() && !member.post->armed())
      member.post->start(random_part(options_.interval));
  }

  void end_joining(Member& member) {
    if (!std::exchange(member.joining, false)) return;
    queue_.ended();
    joining_->start(Duration(0));
  }

  void closed(std::uint32_t index, const Error& why) {
    auto& member = *members_[index];
    if (complaints_.allow()) log::info("{}: {}", member.node.uid(), why.message);
    member.post->stop();
    end_joining(member);
    member.again->start(member.backoff.next());
  }

  void post(std::uint32_t index) {
    auto& member = *members_[index];
    if (member.socket->queued_bytes() > kBacklogBytes) {
      ++counters_.posts_skipped;
    } else if (auto text = member.node.next_json(); !text.empty()) {
      ++counters_.posts_sent;
      member.socket->send_text(std::move(text));
    }
    member.post->start(options_.interval);
  }

  EventLoop& loop_;
  MessageOptions options_;
  Blueprint blueprint_;
  ws::Endpoint endpoint_;
  JoinQueue queue_;
  Counters counters_;
  log::Limiter complaints_;
  std::vector<std::unique_ptr<Member>> members_;
  std::unique_ptr<Timer> joining_;
};

}  // namespace

std::unique_ptr<Simulation> make_ws_nodes(EventLoop& loop, MessageOptions options) {
  return std::make_unique<WsNodes>(loop, std::move(options));
}

}  // namespace aiot::simulator
