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

/// One reader: first what the store has after its last id, then what happens.
class EventStream final : public ws::HttpStream, public StoreRecords::Follower {
 public:
  /// `past`: what the store has comes first; else only what happens from here on.
  EventStream(const RestServices& services, store::EventQuery query, bool past)
      : services_(services),
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
    timer_->start(kStillThere);
    if (catching_up_) ask();
  }
  std::string take() override {
    // The next piece of the past only when this one has gone.
    if (catching_up_ && !under_way_ && out_.empty()) timer_->start(Duration(0));
    return std::exchange(out_, {});
  }
  void closed() override { leave(); }

  void happened(const store::Event& event) override {
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
    std::string json;
    wire::JsonWriter writer(json);
    write_event(writer, event);
    // Gateways name the types of their notices: none may end the line.
    out_ += fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.id, text::escape_controls(event.type), json);
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
  void still_there() {
    timer_->start(kStillThere);
    if (!out_.empty()) return;
    if (catching_up_) {
      if (!under_way_) ask();
    } else {
      out_ = ":\n\n";
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
  store::EventQuery query_;
  std::unique_ptr<Timer> timer_;
  UniqueFunction<void()> wake_;
  Operation asking_;
  std::string out_ = "retry: 2000\n\n";
  bool catching_up_;
  bool missed_ = false;     ///< something happened since the store was asked
  bool under_way_ = false;  ///< the store is being asked
  bool left_ = false;
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
  response.stream = std::make_shared<EventStream>(services, std::move(query), past);
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
        for (const auto& event : *events) write_event(json, event);
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
