#include "cli/history_printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/broker_api.h"
#include "cli/chart.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/present.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

constexpr const char* kStepHeader = "time,node,resource,uri,min,max,mean,count,last\r\n";

std::optional<double> number(const ordered_json& point, const char* key) {
  const auto found = point.find(key);
  return found != point.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

std::string text_of(const ordered_json& point, const char* key) {
  const auto found = point.find(key);
  if (found == point.end()) return {};
  return found->is_string() ? found->get<std::string>() : json_line(*found);
}

std::string local_time(const ordered_json& point) {
  const std::string text = member(point, "time");
  auto time = parse_time(text);
  return time ? format_local(*time) : text;
}

/// "21.5"; means have digits that nobody measured.
std::string short_number(const ordered_json& point, const char* key) {
  const auto value = number(point, key);
  return value ? fmt::format("{:.6g}", *value) : "-";
}

}  // namespace

Duration chart_step(WallTime since, WallTime until, std::size_t columns) {
  // Steps are aligned to 1970, so one of them may stand out at either end.
  const auto whole = std::max<std::int64_t>((until - since).count(), 1);
  const auto parts = static_cast<std::int64_t>(std::max<std::size_t>(columns, 2) - 1);
  return std::chrono::milliseconds((whole + parts - 1) / parts);
}

std::string history_chart(const std::vector<ordered_json>& points, WallTime since, Duration step,
                          const std::string& title, bool colours) {
  const auto width = std::chrono::duration_cast<std::chrono::milliseconds>(step).count();
  const auto begin = since.time_since_epoch().count() / width;
  std::vector<std::optional<double>> values;
  double least = INFINITY;
  double greatest = -INFINITY;
  std::uint64_t count = 0;
  for (const ordered_json& point : points) {
    const auto mean = number(point, "mean");
    const auto time = parse_time(member(point, "time"));
    if (!mean || !time) continue;
    const auto column = time->time_since_epoch().count() / width - begin;
    if (column < 0 || column > 100'000) continue;
    if (values.size() <= static_cast<std::size_t>(column))
      values.resize(static_cast<std::size_t>(column) + 1);
    values[static_cast<std::size_t>(column)] = mean;
    least = std::min(least, number(point, "min").value_or(*mean));
    greatest = std::max(greatest, number(point, "max").value_or(*mean));
    count += static_cast<std::uint64_t>(number(point, "count").value_or(0));
  }
  if (values.empty()) return {};
  return fmt::format("{}: {:.6g} to {:.6g}, {} values\n{}{}{}\n", title, least, greatest, count,
                     colours ? "\x1b[36m" : "", chart_line(values), colours ? "\x1b[0m" : "");
}

std::string history_text(const ordered_json& point, const std::string& uri) {
  std::string out = local_time(point) + "\t";
  if (!uri.empty()) out += uri + "\t";
  if (!point.contains("count")) return out + text_of(point, "value");
  if (point.contains("mean")) {
    out += fmt::format("min {}\tmean {}\tmax {}\t", short_number(point, "min"), short_number(point, "mean"),
                       short_number(point, "max"));
  }
  out += fmt::format("count {}", text_of(point, "count"));
  if (point.contains("last")) out += "\tlast " + text_of(point, "last");
  return out;
}

HistoryPrinter::HistoryPrinter(Context& context, bool steps, bool many)
    : context_(context), steps_(steps), many_(many) {}

void HistoryPrinter::begin() {
  if (context_.settings().output == OutputFormat::csv) {
    context_.output().write(steps_ ? kStepHeader : kCsvHeader);
  }
}

void HistoryPrinter::point(const ordered_json& point, const std::string& uri, const std::string& uid,
                           const std::string& resource) {
  Output& output = context_.output();
  const bool escape = output.is_terminal();
  if (context_.settings().output == OutputFormat::text) {
    std::string line = history_text(point, many_ ? uri : std::string());
    if (!escape) return output.line(line);
    // The tabs are ours.
    std::string shown;
    for (const std::string_view part : text::split(line, '\t')) {
      shown += (shown.empty() ? "" : "\t") + text::escape_controls(part);
    }
    return output.line(shown);
  }
  ordered_json row = ordered_json::object();
  row["time"] = member(point, "time");
  row["uri"] = uri;
  row["node"] = uid;
  row["resource"] = resource;
  for (const auto& [name, value] : point.items()) {
    if (name == "time") continue;
    // 20 is 20.0, as everywhere.
    const bool real = value.is_number() && name != "value" && name != "count";
    row[name] = real ? ordered_json(value.get<double>()) : value;
  }
  if (context_.json()) return output.line(json_line(row));
  if (!steps_) return output.write(csv_line(row, escape));
  output.write(
      csv_line(row, escape, {"time", "node", "resource", "uri", "min", "max", "mean", "count", "last"}));
}

}  // namespace aiot::cli
