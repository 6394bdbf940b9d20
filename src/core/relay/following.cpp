#include "core/relay/following.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/random.h"

namespace aiot::relay {

namespace {

using namespace std::chrono_literals;

constexpr Duration kFirstWait = 250ms;
constexpr Duration kLongestWait = 30s;

}  // namespace

Following::Following(EventLoop& loop, ws::Endpoint endpoint, std::string token, Request request,
                     UniqueFunction<void(Client::Notification)> next, Completion<> done)
    : loop_(loop),
      token_(std::move(token)),
      request_(std::move(request)),
      target_(target_of(request_.uri)),
      endpoint_(std::move(endpoint)),
      next_(std::move(next)),
      done_(std::move(done)) {}

Following::~Following() { cancel(); }

void Following::cancel() {
  done_.dismiss();
  socket_.reset();
  if (observation_) observation_->cancel();
  deadline_.reset();
  retry_.reset();
}

void Following::start() {
  deadline_ = loop_.make_timer([this] {
    fail(make_error(Errc::timeout, fmt::format("{}: no first value within {}", request_.uri.text,
                                               format_duration(request_.timeout))));
  });
  deadline_->start(request_.timeout);
  retry_ = loop_.make_timer([this] { connect(); });
  retry_->start(Duration::zero());
}

void Following::connect() {
  ws::ClientOptions options;
  options.path = "/ws";
  options.subprotocols = {std::string(client_v1::kName)};
  options.timeout = request_.timeout;
  if (!token_.empty()) options.headers.emplace_back("authorization", "Bearer " + token_);
  ws::WsClient::Callbacks callbacks;
  callbacks.opened = [this](const std::string& subprotocol) { opened(subprotocol); };
  callbacks.received = [this](std::string_view message, bool binary) {
    if (!binary) take(message);
  };
  callbacks.closed = [this](const Error& why) { disconnected(why); };
  socket_ = ws::WsClient::connect(loop_, endpoint_, std::move(options), std::move(callbacks));
}

void Following::opened(const std::string& subprotocol) {
  if (subprotocol != client_v1::kName) {
    retry_ = loop_.make_timer([this] { fall_back(); });  // not inside the socket's own call
    retry_->start(Duration::zero());
    return;
  }
  socket_->send_text(client_v1::hello());
}

void Following::fall_back() {
  socket_.reset();
  deadline_.reset();
  observation_ = std::make_unique<Observation>(
      loop_, endpoint_, token_, request_,
      [this](Client::Notification note) {
        if (done_) next_(std::move(note));
      },
      [this](Result<> result) { done_(std::move(result)); });
  observation_->start();
}

void Following::subscribe() {
  in_snapshot_ = true;
  socket_->send_text(client_v1::subscribe(++id_, target_.uid, target_.resource));
}

void Following::take(std::string_view text) {
  auto message = client_v1::parse(text);
  if (!message) return disconnected(message.error());
  if (std::holds_alternative<client_v1::Welcome>(*message)) {
    wait_ = Duration::zero();
    if (std::exchange(away_, false)) tell(StreamEvent::Kind::resumed, request_.uri.text, "connected again");
    if (done_) subscribe();
  } else if (auto* snapshot = std::get_if<client_v1::Snapshot>(&*message)) {
    if (snapshot->id == id_) take(std::move(*snapshot));
  } else if (auto* updates = std::get_if<client_v1::Updates>(&*message)) {
    if (updates->id == id_) take(std::move(*updates));
  } else if (const auto* gap = std::get_if<client_v1::Gap>(&*message)) {
    if (gap->id == id_) take(*gap);
  } else if (const auto* refusal = std::get_if<client_v1::Refusal>(&*message)) {
    disconnected(refusal->error);
  }
}

void Following::take(client_v1::Snapshot snapshot) {
  for (auto& node : snapshot.nodes) {
    Known& known = nodes_[node.facts.uid];
    const NodeState state = node.facts.state;
    known.facts = std::move(node.facts);
    const bool usable = state == NodeState::live || request_.stale || known.told;
    std::sort(node.values.begin(), node.values.end(),
              [](const Update& a, const Update& b) { return a.resource < b.resource; });
    for (Update& value : node.values) {
      const auto held = known.values.find(value.resource);
      if (held != known.values.end() && held->second.bytes == value.bytes) continue;
      // A value that may not be told yet is news when the node returns.
      if (!usable || !target_.matches(known.facts.uid, value.resource)) continue;
      give(known, std::move(value));
      if (!done_) return;
    }
    set_state(known, state);
    if (!done_) return;
  }
  if (snapshot.last) snapshot_done();
}

void Following::snapshot_done() {
  in_snapshot_ = settling_ = false;
  if (target_.is_pattern()) return answered();  // it may match nothing yet
  if (answered_) return;
  const auto found = nodes_.find(target_.uid);
  if (found == nodes_.end()) {
    return fail(make_error(Errc::rejected, fmt::format("no node is named {}", target_.uid), 404));
  }
  if (const NodeState state = found->second.facts.state; state != NodeState::live && !request_.stale) {
    return fail(make_error(Errc::unreachable, fmt::format("node {} is {}; --stale follows it all the same",
                                                          target_.uid, to_string(state))));
  }
  fail(make_error(Errc::rejected, fmt::format("node {} has no resource {}", target_.uid, target_.resource),
                  404));
}

void Following::take(client_v1::Updates updates) {
  for (auto& item : updates.items) {
    item.event.empty() ? update(std::move(item.update)) : event(item);
    if (!done_) return;
  }
}

void Following::update(Update update) {
  Known& known = nodes_[update.uid];
  if (known.facts.uid.empty()) known.facts.uid = update.uid;
  const auto held = known.values.find(update.resource);
  if (held != known.values.end() && std::exchange(held->second.repeated, false) &&
      held->second.bytes == update.bytes) {
    return;
  }
  give(known, std::move(update));
}

void Following::event(const client_v1::Item& item) {
  if (item.event == "gateway_down") {
    for (auto& [uid, known] : nodes_) {
      if (known.facts.gateway != item.node.gateway || known.facts.state != NodeState::live) continue;
      set_state(known, NodeState::stale);
      if (!done_) return;
    }
    return;
  }
  if (item.node.uid.empty()) return;
  Known& known = nodes_[item.node.uid];
  const NodeState state = item.node.state;
  known.facts = item.node;
  // After these the values of before follow again.
  if (item.event == "joined" || item.event == "reset") {
    for (auto& [name, held] : known.values) held.repeated = true;
  }
  set_state(known, item.event == "forgotten" ? NodeState::out : state);
}

void Following::take(const client_v1::Gap& gap) {
  tell(StreamEvent::Kind::gap, request_.uri.text, gap.reason, gap.missed);
  if (!done_ || gap.events == 0) return;
  // What became of the nodes is not known any more.
  socket_->send_text(client_v1::unsubscribe(id_));
  subscribe();
}

void Following::set_state(Known& known, NodeState state) {
  known.facts.state = state;
  if (state == NodeState::live) {
    if (!std::exchange(known.lost, false)) return;
    return tell(StreamEvent::Kind::resumed, uri_of_node(known),
                fmt::format("node {} is back", known.facts.uid));
  }
  if (!known.told || std::exchange(known.lost, true)) return;
  tell(StreamEvent::Kind::lost, uri_of_node(known),
       fmt::format("node {} is {}", known.facts.uid, to_string(state)));
}

std::string Following::uri_of_node(const Known& known) const {
  return target_.is_pattern() ? uri_of(request_.uri, known.facts.uid, target_.resource) : request_.uri.text;
}

void Following::give(Known& known, Update update) {
  if (settling_ && known.told && !std::exchange(gap_told_, true)) {
    tell(StreamEvent::Kind::gap, request_.uri.text, "values changed while the broker was out of reach");
    if (!done_) return;
  }
  Response response;
  response.uri =
      target_.is_pattern() ? uri_of(request_.uri, known.facts.uid, update.resource) : request_.uri.text;
  response.resource = update.resource;
  response.payload = update.bytes;
  response.content_format = update.content_format;
  response.protocol = known.facts.protocol;
  response.time = update.time;
  response.time_uncertain = update.time_uncertain;
  if (update.sequence != 0) response.sequence = update.sequence;
  response.node = known.facts.uid;
  response.gateway = known.facts.gateway;
  response.state = known.facts.state;
  response.age = std::max<Duration>(loop_.wall_now() - update.time, Duration::zero());
  known.values[std::move(update.resource)] = Held{std::move(update.bytes)};
  known.told = true;
  answered();
  next_(std::move(response));
}

void Following::tell(StreamEvent::Kind kind, const std::string& uri, std::string reason,
                     std::optional<std::uint64_t> missed) {
  if (!done_) return;
  next_(StreamEvent{kind, uri, std::move(reason), loop_.wall_now(), missed});
}

void Following::answered() {
  answered_ = true;
  if (deadline_) deadline_->stop();
}

void Following::fail(Error error) {
  if (!done_) return;
  auto done = std::move(done_);
  cancel();
  done(std::move(error));
}

void Following::disconnected(const Error& why) {
  if (!done_) return;
  if (!answered_) return fail(why);
  socket_.reset();
  settling_ = true;
  gap_told_ = false;
  if (!std::exchange(away_, true)) tell(StreamEvent::Kind::lost, request_.uri.text, why.message);
  if (!done_) return;
  wait_ = wait_ == Duration::zero() ? kFirstWait : std::min(wait_ * 2, kLongestWait);
  retry_ = loop_.make_timer([this] { connect(); });
  retry_->start(jittered(wait_));
}

}  // namespace aiot::relay
