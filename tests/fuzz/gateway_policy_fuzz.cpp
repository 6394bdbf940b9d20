#include "daemon/gateway/identity.h"
#include "daemon/gateway/node_message.h"
#include "daemon/gateway/policy.h"

#include <map>
#include <set>

#include "fuzz.h"

// Nodes, a broker and a clock that do whatever the input says, one event after the other: what the broker is
// told stays in step with the node table, and every request ends once. Input: events, each a byte that says
// which and bytes for its particulars.

using namespace aiot;
using namespace aiot::gateway;

namespace {

/// Does nothing, and checks what it is told against what it was told before.
class Watcher final : public Effects {
 public:
  void update(Node& node, Resource& resource) override {
    FUZZ_CHECK(node.live && live.contains(node.uid));
    FUZZ_CHECK(node.find(resource.name) == &resource);
  }
  void item(wire::Item item) override {
    if (const auto* joined = std::get_if<wire::NodeJoined>(&item)) live.insert(joined->uid);
    if (const auto* out = std::get_if<wire::NodeOut>(&item)) FUZZ_CHECK(live.erase(out->uid) == 1);
    if (const auto* reset = std::get_if<wire::NodeReset>(&item)) FUZZ_CHECK(live.contains(reset->uid));
  }
  void request(NodeRequest request) override { add(requests, std::move(request)); }
  void observe(NodeRequest request) override { add(observations, std::move(request)); }
  void cancel(Ticket ticket) override {
    requests.erase(ticket);
    observations.erase(ticket);
  }
  Result<void> tell(const Node& node, const NodeMessage&) override {
    FUZZ_CHECK(node.protocol != Protocol::coap);
    return {};
  }
  void answer(wire::Answer answer) override { FUZZ_CHECK(asked.erase(answer.id) == 1); }
  void changed(const Node&) override {}

  std::set<std::string> live;
  std::map<Ticket, NodeRequest> requests, observations;
  std::set<std::uint64_t> asked;

 private:
  void add(std::map<Ticket, NodeRequest>& to, NodeRequest request) {
    FUZZ_CHECK(request.ticket != 0 && !request.to.empty() && request.timeout > Duration(0));
    FUZZ_CHECK(!requests.contains(request.ticket) && !observations.contains(request.ticket));
    to.emplace(request.ticket, std::move(request));
  }
};

class World {
 public:
  explicit World(std::string_view input) : input_(input) {
    policy_.listening({*SocketAddress::parse("10.0.0.3:5683")});
  }

  void run() {
    while (!input_.empty()) {
      event();
      check();
    }
    // Silence: everything that is under way ends, and everyone is out.
    for (int i = 0; i < 10'000 && (!effects_.requests.empty() || !effects_.observations.empty()); ++i) {
      auto& some = effects_.requests.empty() ? effects_.observations : effects_.requests;
      end(some, make_error(Errc::timeout, "no answer"));
    }
    pass(kMaxRegistration + std::chrono::hours(1));
    check();
    FUZZ_CHECK(effects_.live.empty() && effects_.asked.empty());
    FUZZ_CHECK(effects_.requests.empty() && effects_.observations.empty());
    for (const auto& uid : policy_.table().uids(false))
      FUZZ_CHECK(policy_.table().find(uid)->pending_writes == 0);
  }

 private:
  std::size_t below(std::size_t bound) {
    if (input_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(input_[0]);
    input_.remove_prefix(1);
    return byte % bound;
  }
  std::string uid() { return std::string(1, static_cast<char>('a' + below(4))); }
  SocketAddress address() {
    static const char* const kHosts[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "[fd00::1]"};
    static const char* const kPorts[] = {":5683", ":40000", ":40001"};
    const std::string host = kHosts[below(4)];
    return *SocketAddress::parse(host + kPorts[below(3)]);
  }
  coap::Peer peer() {
    coap::Peer out;
    out.address = address();
    if (below(4) != 0) out.local = *SocketAddress::parse("10.0.0.3:5683");
    return out;
  }
  std::string links() {
    static const char* const kLinks[] = {"</t>", "</t>;obs,</led>", "", "</t>;obs,</u>;obs,</v>", "<<"};
    return kLinks[below(5)];
  }
  std::string id() {
    for (const auto& known : policy_.table().uids(true)) {
      const Node* node = policy_.table().find(known);
      if (node->registration && below(2) == 0) return node->registration->id;
    }
    return "none";
  }
  void pass(Duration time) {
    now_.mono += time;
    now_.wall += std::chrono::duration_cast<std::chrono::milliseconds>(time);
    policy_.tick(now_);
  }
  void end(std::map<Ticket, NodeRequest>& of, Result<Response> result) {
    if (of.empty()) return;
    auto at = of.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(below(of.size())));
    const Ticket ticket = at->first;
    of.erase(at);
    policy_.responded(ticket, std::move(result), now_);
  }
  Result<Response> result() {
    static const Errc kErrors[] = {Errc::timeout, Errc::unreachable, Errc::rejected, Errc::peer_failed};
    const auto kind = below(8);
    if (kind < 4) return make_error(kErrors[kind], "it failed", kind == 2 ? 404 : 0);
    Response out;
    out.code = "2.05";
    out.payload = links();
    return out;
  }
  void ask() {
    static const Method kMethods[] = {Method::get, Method::put, Method::post};
    wire::Ask ask;
    ask.id = ++asks_;
    static const std::string kMessageNode = make_uid("", "MQTT", "a");
    ask.uid = below(4) == 0 ? kMessageNode : uid();
    ask.resource = below(8) == 0 ? "" : "led";
    ask.payload = links();
    ask.method = kMethods[below(3)];
    effects_.asked.insert(ask.id);
    policy_.ask(ask, now_);
  }
  void notify() {
    if (effects_.observations.empty()) return;
    Response response;
    response.payload = links();
    policy_.notified(effects_.observations.begin()->first, response, now_);
  }
  void restore() {
    SavedNode saved;
    saved.uid = uid();
    saved.address = address();
    saved.read = below(2) == 0;
    saved.out = below(2) == 0;
    saved.last_seen = now_.wall - std::chrono::seconds(below(256));
    saved.resources.push_back({"led", "0", std::nullopt, below(2) == 0, false, saved.last_seen});
    if (below(2) == 0)
      saved.registration =
          Registration{"saved", "", "", saved.uid, std::chrono::hours(1), "</t>", below(2) == 0, {}};
    const bool known = policy_.table().find(saved.uid) != nullptr;
    policy_.restore(saved, now_);
    // The broker hears of it by the snapshot.
    const Node* node = policy_.table().find(saved.uid);
    if (!known && node != nullptr && node->live) effects_.live.insert(saved.uid);
  }
  void message() {
    static const Protocol kProtocols[] = {Protocol::mqtt, Protocol::mqttsn, Protocol::websocket};
    static const char* const kTopics[] = {"node/check", "node/a/led", "node/a/resources", "node/b/led",
                                          "node/b"};
    static const char* const kPayloads[] = {R"({"id":"a"})", R"({"value":1})", R"({"value":"<t>"})",
                                            R"(["led"])", "{"};
    const NodeSource from{kProtocols[below(3)], {}, below(4) == 0, {}};
    (void)take_node_message(policy_, from, kTopics[below(5)], kPayloads[below(5)], now_);
  }
  void gone() {
    const std::string name = uid();
    policy_.messages().gone(Protocol::websocket, name, now_);
    policy_.messages().set_lifetime(Protocol::mqttsn, name, std::chrono::seconds(below(256)));
  }
  void event() {
    static const char* const kWords[] = {"alive:", "reset:"};
    const std::string name = uid();
    const std::string ep = "ep=" + name;
    switch (below(16)) {
      case 0: return answered(policy_.alive(kWords[below(2)] + name, peer(), now_));
      case 1: return answered(policy_.alive(kWords[below(2)] + std::string("\x01"), peer(), now_));
      case 2: return answered(policy_.post(below(8) == 0 ? "nonsense" : name + ":1", peer(), now_));
      case 3: return answered(policy_.enroll({ep, "lt=60"}, links(), peer(), now_));
      case 4: return answered(policy_.enroll({ep, "base=coap://10.0.0.2"}, links(), peer(), now_));
      case 5: return answered(policy_.enroll_simple({ep}, peer(), now_));
      case 6: return answered(policy_.renew(id(), {}, peer(), now_));
      case 7: return answered(policy_.withdraw(id(), now_));
      case 8: return end(below(3) == 0 ? effects_.observations : effects_.requests, result());
      case 9: return notify();
      case 10: return ask();
      case 11: return below(2) == 0 ? policy_.refused(name, "", now_) : policy_.freed(name, now_);
      case 12: return pass(std::chrono::milliseconds(1) * (1U << below(19)));
      case 13: return message();
      case 14: return gone();
      default: return restore();
    }
  }
  void answered(const coap::ServerReply& reply) {
    FUZZ_CHECK(reply.code >= coap::code(2, 0) && reply.code < coap::code(6, 0));
  }
  void check() {
    auto& table = policy_.table();
    FUZZ_CHECK(table.live() == effects_.live.size());
    FUZZ_CHECK(table.live() + table.out() == table.size());
    for (const auto& each : table.uids(false)) {
      Node& node = *table.find(each);
      FUZZ_CHECK(node.live == effects_.live.contains(each));
      if (node.protocol != Protocol::coap) {
        FUZZ_CHECK(!node.id.empty() && node.observations.empty() && (node.live || node.resources.empty()));
        continue;
      }
      FUZZ_CHECK(node.address.empty() ? !node.live : table.at_source(node.address) != nullptr);
      FUZZ_CHECK(node.live || (node.resources.empty() && node.observations.empty() && !node.registration));
      for (const auto ticket : node.observations) FUZZ_CHECK(effects_.observations.contains(ticket));
    }
    (void)policy_.look_up({"rt=x"}, true);
    (void)policy_.look_up({}, false);
  }

  std::string_view input_;
  Watcher effects_;
  Policy policy_{PolicyOptions{.site = "s", .max_time_for = {}, .limits = {3, 2}, .value_bytes = 64},
                 effects_};
  Now now_{TimePoint(std::chrono::hours(1)), WallTime(std::chrono::hours(24 * 365 * 50))};
  std::uint64_t asks_ = 0;
};

}  // namespace

void fuzz_one(std::string_view input) { World(input).run(); }
