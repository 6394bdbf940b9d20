#include <utility>

#include "core/base/backoff.h"
#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/ws/ws_client.h"
#include "daemon/simulator/message_nodes.h"
#include "daemon/simulator/pyaiot_node.h"

namespace aiot::simulator {

namespace {

constexpr Duration kFirstBackoff = std::chrono::milliseconds(500);
constexpr Duration kLongestBackoff = std::chrono::seconds(30);
/// A node whose gateway does not read leaves values out.
constexpr std::size_t kBacklogBytes = 64UL * 1024;

class WsNodes final : public MessageNodes {
 public:
  WsNodes(EventLoop& loop, MessageOptions options) : MessageNodes(loop, std::move(options)) {
    endpoint_.host = options_.gateway.host();
    endpoint_.port = options_.gateway.port();
  }

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

  void make_node(std::size_t number) override {
    const auto index = static_cast<std::uint32_t>(members_.size());
    auto& member = *members_.emplace_back(std::make_unique<Member>(blueprint_, number));
    member.post = loop_.make_timer([this, index] { post(index); });
    member.again = loop_.make_timer([this, index] { join_again(index); });
  }

  void join(std::uint32_t index) override {
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
    joined_or_failed(member);
    if (!std::exchange(member.joined, true)) ++counters_.joined;
    if (options_.interval > Duration::zero() && !member.post->armed())
      member.post->start(random_part(options_.interval));
  }

  void joined_or_failed(Member& member) {
    if (std::exchange(member.joining, false)) end_joining();
  }

  void closed(std::uint32_t index, const Error& why) {
    auto& member = *members_[index];
    if (complaints_.allow()) log::info("{}: {}", member.node.uid(), why.message);
    member.post->stop();
    joined_or_failed(member);
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

  ws::Endpoint endpoint_;
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace

std::unique_ptr<Simulation> make_ws_nodes(EventLoop& loop, MessageOptions options) {
  return std::make_unique<WsNodes>(loop, std::move(options));
}

}  // namespace aiot::simulator
