#include <algorithm>
#include <array>
#include <charconv>
#include <deque>

#include "core/base/text.h"
#include "daemon/broker/node_json.h"
#include "daemon/broker/problem.h"
#include "daemon/broker/rest_store.h"

/// Events: pages of the past, and a stream that goes on (Server-Sent Events, WHATWG HTML section 9.2).
namespace aiot::broker {
namespace {

/// So often a stream says that it is there, for the proxies in between.
constexpr Duration kStillThere = std::chrono::seconds(15);
/// A reader further behind gets the rest from the store, as it reads.
constexpr std::size_t kMaxWaiting = 256 * 1024;
constexpr std::size_t kPiece = 1000;

bool wants_stream(const ws::HttpRequest& request) {
  return request.header("accept").find("text/event-stream") != std::string_view::npos;
}

/// What logs of access say is for administrators; what is about a node, for those who may know of it. What a
/// write brought is told to those who may know of every resource.
bool may_see(const Principal& who, const store::Event& event) {
  constexpr std::array kAudit = {"login", "login_failed", "logout", "user_added", "access_changed"};
  const auto is_type = [&](const char* type) { return event.type == type; };
  if (std::any_of(kAudit.begin(), kAudit.end(), is_type)) return who.may_administer();
  if (who.scope.whole()) return true;
  return !event.uid.empty() && who.scope.covers_node(event.uid) &&
         (who.scope.resources.empty() || event.data.empty());
}

/// One reader: first what the store has after its last id, then what happens.
class EventStream final : public ws::HttpStream, public StoreRecords::Follower {
 public:
  /// `past`: what the store has comes first; else only what happens from here on.
  EventStream(const RestServices& services, Principal principal, store::EventQuery query, bool past)
      : services_(services),
        principal_(std::move(principal)),
        query_(std::move(query)),
        timer_(services.loop.make_timer([this] { still_there(); })),
        catching_up_(past) {
    services_.records.follow(*this);
  }
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;
  ~EventStream() override { leave(); }

  void attached(UniqueFunction<void()> wake) override {
    wake_ = std::move(wake);
    timer_->start(next_look());
    if (catching_up_) ask();
  }
  std::string take() override {
    // The next piece of the past only when this one has gone.
    if (catching_up_ && !under_way_ && out_.empty()) timer_->start(Duration(0));
    return std::exchange(out_, {});
  }
  [[nodiscard]] bool ended() const override { return over_; }
  void closed() override { leave(); }

  void happened(const store::Event& event) override {
    if (may_no_more()) {
      if (wake_) wake_();  // last: it ends this
      return;
    }
    if (!wanted(event)) return;
    if (catching_up_ || out_.size() > kMaxWaiting) {
      catching_up_ = missed_ = true;  // the store has it when it is asked again
      return;
    }
    write(event);
    if (wake_) wake_();
  }

 private:
  [[nodiscard]] bool wanted(const store::Event& event) const {
    return event.id > query_.after && (query_.uid.empty() || query_.uid == event.uid) &&
           (query_.type.empty() || query_.type == event.type) && event.time >= query_.from &&
           event.time < query_.to;
  }
  void write(const store::Event& event) {
    query_.after = event.id;
    if (!may_see(principal_, event)) return;
    std::string json;
    wire::JsonWriter writer(json);
    write_event(writer, event);
    // Gateways name the types of their notices: none may end the line.
    out_ += fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.id, text::escape_controls(event.type), json);
  }
  /// The user, token or key was taken away: the stream ends.
  bool may_no_more() {
    over_ = over_ || !services_.access.holds(principal_, services_.loop.wall_now());
    return over_;
  }
  void ask() {
    query_.limit = kPiece;
    missed_ = false;
    under_way_ = true;
    asking_ = services_.store->events(query_, [this](Result<std::vector<store::Event>> events) {
      under_way_ = false;
      if (services_.alive.expired()) return;
      if (!events) return;  // asked again with the next sign of life
      for (const auto& event : *events) write(event);
      catching_up_ = !events->empty() || missed_;
      wake_();
    });
  }
  /// The end of a token is no event.
  [[nodiscard]] Duration next_look() const {
    if (!principal_.expires) return kStillThere;
    const Duration left = *principal_.expires - services_.loop.wall_now();
    return std::clamp(left, Duration(std::chrono::milliseconds(1)), kStillThere);
  }
  void still_there() {
    timer_->start(next_look());
    if (!out_.empty()) return;
    if (catching_up_ && !may_no_more()) {
      if (!under_way_) ask();
    } else {
      if (!may_no_more()) out_ = ":\n\n";
      wake_();  // last: the peer may be gone, and this with it
    }
  }
  void leave() {
    if (std::exchange(left_, true) || services_.alive.expired()) return;
    timer_->stop();
    asking_.cancel();
    services_.records.unfollow(*this);
  }

  RestServices services_;
  Principal principal_;
  store::EventQuery query_;
  std::unique_ptr<Timer> timer_;
  UniqueFunction<void()> wake_;
  Operation asking_;
  std::string out_ = "retry: 2000\n\n";
  bool catching_up_;
  bool missed_ = false;     ///< something happened since the store was asked
  bool under_way_ = false;  ///< the store is being asked
  bool left_ = false;
  bool over_ = false;
};

void stream_events(const RestServices& services, RestCall call, store::EventQuery query) {
  const auto last = call.request.header("last-event-id");
  if (!last.empty()) {
    const auto [end, code] = std::from_chars(last.data(), last.data() + last.size(), query.after);
    if (code != std::errc() || end != last.data() + last.size())
      return call.reply(problem(400, Errc::usage, "Last-Event-ID is not one that this broker gave"));
  }
  const bool past = !last.empty() || !call.parameter("from").empty();
  ws::HttpResponse response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("cache-control", "no-store");
  response.stream = std::make_shared<EventStream>(services, call.principal, std::move(query), past);
  call.reply(std::move(response));
}

}  // namespace

void list_events(const RestServices& services, RestCall call) {
  const bool streams = wants_stream(call.request);
  store::EventQuery query;
  const auto from = query_time(call, "from", WallTime{});
  const auto to = query_time(call, "to", WallTime::max());
  const auto limit = parse_limit(call.parameter("limit"), kDefaultPage, kMaxPage);
  for (const auto* time : {&from, &to})
    if (!*time) return call.reply(problem(400, time->error()));
  if (!limit)
    return call.reply(problem(400, Errc::usage, fmt::format("limit is a number from 1 to {}", kMaxPage)));
  const auto cursor = call.parameter("cursor");
  if (!cursor.empty()) {
    const auto after = parse_limit(cursor, 0, ~std::size_t{0});
    if (!after) return call.reply(problem(400, Errc::usage, "the cursor is not one that a list gave"));
    query.after = *after;
  }
  query.from = *from;
  query.to = *to;
  query.uid = call.parameter("node");
  query.type = call.parameter("type");
  if (streams) return stream_events(services, std::move(call), std::move(query));
  query.limit = *limit + 1;  // one more tells whether there is more
  query.newest = call.parameter("newest") == "true";
  if (query.newest) query.limit = *limit;
  ask_store<std::vector<store::Event>>(
      services, std::move(call),
      [&](Completion<std::vector<store::Event>> done) {
        return services.store->events(query, std::move(done));
      },
      [most = *limit](RestCall& asked, Result<std::vector<store::Event>> events) {
        if (!events)
          return asked.reply(problem(events.error().code == Errc::usage ? 400 : 500, events.error()));
        const bool more = events->size() > most;
        if (more) events->resize(most);
        std::string body;
        wire::JsonWriter json(body);
        json.open_object();
        json.open_array("items");
        for (const auto& event : *events) {
          if (may_see(asked.principal, event)) write_event(json, event);
        }
        json.close_array();
        if (more) {
          json.string("next", std::to_string(events->back().id));
        } else {
          json.name("next");
          json.raw("null");
        }
        json.close_object();
        asked.reply(json_response(std::move(body)));
      });
}

}  // namespace aiot::broker
