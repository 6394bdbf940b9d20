#include "cli/command.h"
#include "cli/context.h"
#include "cli/event_list.h"
#include "cli/options.h"
#include "core/loop/event_loop.h"

namespace aiot::cli {

namespace {

class EventsCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "",
        "Asks a broker what happened: nodes that joined, restarted, fell silent or were refused, gaps, "
        "writes "
        "and their results, gateways that came and went. A line an event, the oldest first: local time, "
        "type, the node or else the gateway, and a sentence. --json prints the events as the broker has "
        "them: "
        "id, time, type, gateway, node, message, data.\n\n"
        "--follow goes on with each new event until it is stopped, also over a restart of the broker, which "
        "it tells on standard error (lost, resumed). Without --since it begins with the latest ten.\n\n"
        "A time is a duration ago (24h), a time of day (22:00, the latest one past; for --until after such a "
        "--since the first after it), a local date or time (2026-01-31, \"2026-01-31 12:00\"), RFC 3339 "
        "(2026-01-31T12:00:00Z), or @SECONDS since 1970.",
        {{"aiot events", "the last day"},
         {"aiot events --since 22:00 --until 07:00", "last night"},
         {"aiot events --follow --type out", "each node that falls silent, as it does"},
         {"aiot --json events --node n1 --since 7d", "a node's week, as JSON"}},
        {"aiot-nodes(1)", "aiot-history(1)", "aiot-observe(1)"}};
  }

  void configure(CLI::App& app) override {
    range_.configure(app);
    add_text(app, "--node", query_.node, "only of this node", "UID");
    add_text(app, "--type", query_.type, "only of this type: joined, out, reset, write and so on", "TYPE");
    add_number(app, "--limit", query_.limit, "at most the latest N of them (default all)", 1,
               EventQuery::kMaxLimit);
    add_flag(app, "-f,--follow", query_.follow, "go on with new events");
  }

  int run(Context& context) override {
    auto range = range_.range(context.loop().wall_now());
    if (!range) return context.fail(range.error());
    query_.range = *range;
    const Settings& settings = context.settings();
    if (query_.follow && range->until) {
      return context.fail(make_error(Errc::usage, "--follow has no end; it does not go with --until"));
    }
    if (query_.follow && !settings.has_flag("--since")) {
      query_.range.since.reset();
      if (query_.limit == 0) query_.limit = kFollowed;
    }
    auto api = BrokerApi::of(context);
    if (!api) return context.fail(api.error());
    return EventList(context, std::move(*api), query_).run();
  }

 private:
  static constexpr std::size_t kFollowed = 10;

  TimeRangeOptions range_{"24h"};
  EventQuery query_;
};

}  // namespace

std::unique_ptr<Command> make_events_command() { return std::make_unique<EventsCommand>(); }

}  // namespace aiot::cli
