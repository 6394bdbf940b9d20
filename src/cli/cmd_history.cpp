#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/expand.h"
#include "cli/history_run.h"
#include "cli/options.h"
#include "core/loop/event_loop.h"
#include "core/relay/target.h"

namespace aiot::cli {

namespace {

class HistoryCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "UID/RESOURCE...",
        "Prints what a broker has stored of resources: a line a value, its local time and a tab before it, "
        "the "
        "oldest first. Several resources come one after another, their URIs between time and value. On a "
        "terminal a line of blocks above shows how numbers went.\n\n"
        "--step prints a line for each step in which there was anything: least, mean and greatest of what "
        "reads as a number, how many values came, and the last one where none was a number. Steps are "
        "aligned "
        "to 1970 in UTC.\n\n"
        "--json prints the keys that get does (time, uri, node, resource, value, number, unit), with --step "
        "time, uri, node, resource, min, max, mean and count; CSV the same as columns.\n\n"
        "A time is a duration ago (24h), a time of day (22:00, the latest one past; for --until after such a "
        "--since the first after it), a local date or time (2026-01-31, \"2026-01-31 12:00\"), RFC 3339 "
        "(2026-01-31T12:00:00Z), or @SECONDS since 1970.\n\n"
        "In a URI * stands for any characters of one segment: of all nodes' resources that match. A "
        "resource without values in that time prints nothing, and says so on standard error.",
        {{"aiot history --broker ws://127.0.0.1:8000 n1/temperature", "the last day"},
         {"aiot history --since 7d --step 1h aiot://127.0.0.1/n1/temperature", "a week, hour by hour"},
         {"aiot --json history --since 22:00 --until 07:00 n1/led", "last night, as JSON"},
         {"aiot history --output csv --since 2026-01-01 --until 2026-02-01 '*/temperature'",
          "every node's January"}},
        {"aiot-get(1)", "aiot-events(1)", "aiot-export(1)", "aiot-json(7)"}};
  }

  void configure(CLI::App& app) override {
    add_arguments(app, "URI", targets_, "UID/RESOURCE at --broker, or aiot://HOST/UID/RESOURCE", true);
    range_.configure(app);
    add_duration(app, "--step", query_.step, "one line for each step of this length");
    add_number(app, "--limit", query_.limit, "at most the first N lines of each resource (default all)", 1,
               1'000'000'000'000);
  }

  [[nodiscard]] bool has_csv() const override { return true; }

  int run(Context& context) override {
    const auto range = range_.range(context.loop().wall_now());
    if (!range) return context.fail(range.error());
    query_.range = *range;
    if (query_.step != Duration::zero() && query_.step < std::chrono::milliseconds(1)) {
      return context.fail(make_error(Errc::usage, "--step must be at least 1ms"));
    }
    auto targets = resolve_targets(context, targets_, {});
    if (!targets) return context.fail(targets.error());
    for (const Target& target : *targets) {
      if (auto suits = check(target.uri); !suits) return context.fail(suits.error(), target.uri.text);
    }
    if (const int refused = prepare_targets(context, "get", *targets); refused != kDone) return refused;
    if (!expand_patterns(context, *targets)) return kDone;
    return HistoryRun(context, std::move(*targets), query_).run();
  }

 private:
  static Result<void> check(const Uri& uri) {
    if (uri.scheme != "aiot" && uri.scheme != "aiots") {
      return make_error(Errc::usage,
                        fmt::format("history is a broker's; it is not possible on {}://", uri.scheme));
    }
    const relay::Target target = relay::target_of(uri);
    if (!target.uid.empty() && !target.resource.empty()) return {};
    return make_error(Errc::usage, "history needs a node and a resource, as in aiot://HOST/UID/RESOURCE");
  }

  std::vector<std::string> targets_;
  TimeRangeOptions range_{"24h"};
  HistoryQuery query_;
};

}  // namespace

std::unique_ptr<Command> make_history_command() { return std::make_unique<HistoryCommand>(); }

}  // namespace aiot::cli
