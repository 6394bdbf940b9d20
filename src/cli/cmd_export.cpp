#include "cli/command.h"
#include "cli/context.h"
#include "cli/export_run.h"
#include "cli/options.h"
#include "core/loop/event_loop.h"

namespace aiot::cli {

namespace {

class ExportCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {"",
            "Writes the history that a broker has of its nodes to standard output, one JSON object a value, "
            "as 'aiot import' takes it: node, resource, time, value (the bytes, in base64 with \"encoding\" "
            "where they are no text), and format and time_uncertain where they apply. Resource by resource, "
            "each from its oldest value on. How many there were is said on standard error.\n\n"
            "A time is a duration ago (24h), a time of day (22:00, the latest one past; for --until after "
            "such a --since the first after it), a local date or time (2026-01-31, \"2026-01-31 12:00\"), "
            "RFC 3339 (2026-01-31T12:00:00Z), or @SECONDS since 1970.",
            {{"aiot export > history.ndjson", "everything"},
             {"aiot export --since 2026-01-01 --until 2026-02-01 | zstd > january.ndjson.zst", "a month"},
             {"aiot export --node 'kitchen-*' > kitchen.ndjson", "some nodes"}},
            {"aiot-import(1)", "aiot-history(1)"}};
  }

  void configure(CLI::App& app) override {
    range_.configure(app);
    add_text(app, "--node", pattern_, "only nodes whose uid matches; * stands for any characters", "PATTERN");
  }

  int run(Context& context) override {
    auto range = range_.range(context.loop().wall_now());
    if (!range) return context.fail(range.error());
    auto api = BrokerApi::of(context);
    if (!api) return context.fail(api.error());
    return ExportRun(context, std::move(*api), *range, pattern_).run();
  }

 private:
  TimeRangeOptions range_;
  std::string pattern_;
};

}  // namespace

std::unique_ptr<Command> make_export_command() { return std::make_unique<ExportCommand>(); }

}  // namespace aiot::cli
