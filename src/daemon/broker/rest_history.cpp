#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "core/base/text.h"
#include "core/codec/content_format.h"
#include "daemon/broker/node_json.h"
#include "daemon/broker/problem.h"
#include "daemon/broker/rest.h"
#include "daemon/broker/rest_store.h"
#include "daemon/wire/json_reader.h"

/// A resource's past, and its import.
namespace aiot::broker {
namespace {

constexpr std::size_t kDefaultPoints = 1000, kMaxPoints = 10'000;
constexpr std::size_t kMaxImport = 10'000, kMaxFirstLine = 1'000'000'000'000;
constexpr std::size_t kMaxEncoded = kMaxValue / 3 * 4 + 8;

/// The bytes themselves, as import_history() takes them.
void write_raw(wire::JsonWriter& json, const store::Value& point) {
  if (point.raw_json) {
    json.name("value");
    json.raw(point.bytes);
  } else {
    json.bytes("value", point.bytes);
  }
  if (point.content_format) json.string("format", content_format_name(*point.content_format));
}

void write_history(wire::JsonWriter& json, const store::HistoryPage& page, bool raw) {
  json.open_array("points");
  for (const auto& point : page.points) {
    json.open_object();
    json.string("time", format_utc(point.time));
    if (raw) {
      write_raw(json, point);
    } else {
      write_value(json, point.bytes, point.content_format, point.raw_json);
    }
    if (point.time_uncertain) json.boolean("time_uncertain", true);
    json.close_object();
  }
  for (const auto& bucket : page.buckets) {
    json.open_object();
    json.string("time", format_utc(bucket.time));
    if (bucket.numbers > 0) {
      json.number("min", bucket.min);
      json.number("max", bucket.max);
      // Where long double is no wider than double the sum may be infinite, which JSON cannot say.
      const auto mean = bucket.sum / static_cast<long double>(bucket.numbers);
      json.number("mean", std::clamp(static_cast<double>(mean), bucket.min, bucket.max));
    }
    json.number("count", bucket.count);
    if (bucket.numbers == 0) json.bytes("last", bucket.last);
    json.close_object();
  }
  json.close_array();
  if (page.next.empty()) {
    json.name("next");
    json.raw("null");
  } else {
    json.string("next", page.next);
  }
}

/// One line of an import.
struct Imported {
  std::string node, resource, value, encoding, format;
  std::string time;
  std::optional<std::uint16_t> content_format;
  bool raw_json = false, time_uncertain = false;
};

/// What the line's "format" says, once all of it is read.
Result<void> take_format(Imported& out) {
  auto format = parse_content_format(out.format);
  if (!format) return format.error();
  // JSON may stand as what it is; of anything else such a value would not be the bytes.
  if (out.raw_json && *format != content_format::kJson && *format != content_format::kSenmlJson)
    return make_error(Errc::usage, fmt::format("a value of {} is text or base 64", out.format));
  out.content_format = *format;
  out.raw_json = false;
  return {};
}

Result<void> read_line(std::string_view line, Imported& out) {
  wire::JsonReader reader(line);
  std::string_view name;
  bool has_value = false;
  reader.enter_object();
  while (reader.next_member(name)) {
    if (name == "node") {
      reader.read_string(out.node, kMaxUid);
    } else if (name == "resource") {
      reader.read_string(out.resource, kMaxResource);
    } else if (name == "time") {
      reader.read_string(out.time, 64);
    } else if (name == "encoding") {
      reader.read_string(out.encoding, 16);
    } else if (name == "format") {
      reader.read_string(out.format, 64);
    } else if (name == "time_uncertain") {
      reader.read_bool(out.time_uncertain);
    } else if (name == "value") {
      has_value = true;
      if (reader.peek() == wire::JsonReader::Kind::string) {
        reader.read_string(out.value, kMaxEncoded);
      } else {
        std::string_view raw;
        if (reader.read_raw(raw)) out.value = raw;
        out.raw_json = true;
      }
    } else {
      reader.skip();
    }
  }
  if (!reader.finish()) return reader.error();
  if (out.node.empty() || out.resource.empty() || out.time.empty() || !has_value)
    return make_error(Errc::usage, "node, resource, time and value are needed");
  if (out.encoding == "base64") {
    auto bytes = text::decode_base64(out.value);
    if (!bytes) return make_error(Errc::usage, "the value is not base64");
    out.value = std::move(*bytes);
  }
  if (out.value.size() > kMaxValue) return make_error(Errc::usage, "a value has up to 64 KB");
  return out.format.empty() ? Result<void>() : take_format(out);
}

/// For the record: who did it.
void note_import(const RestServices& services, const Principal& who, std::size_t count) {
  std::string data;
  wire::JsonWriter json(data);
  json.open_object();
  json.string("by", who.label());
  json.number("count", count);
  json.close_object();
  services.records.event(
      {"imported", {}, {}, fmt::format("{} values were imported by {}", count, who.label()), {}, data});
}

}  // namespace

void show_history(const RestServices& services, RestCall call) {
  store::HistoryQuery query;
  query.uid = call.parameter("node");
  query.resource = call.parameter("resource");
  const auto from = query_time(call, "from", WallTime{});
  const auto to = query_time(call, "to", WallTime::max());
  const auto limit = parse_limit(call.parameter("limit"), kDefaultPoints, kMaxPoints);
  if (query.uid.empty() || query.resource.empty())
    return call.reply(problem(400, Errc::usage, "node and resource name what to show"));
  const Scope& scope = call.principal.scope;
  if (!scope.covers_node(query.uid) || !scope.covers_resource(query.resource)) {
    return call.reply(problem(403, Errc::unauthorized,
                              fmt::format("the token is not for {}/{}", query.uid, query.resource)));
  }
  for (const auto* time : {&from, &to})
    if (!*time) return call.reply(problem(400, time->error()));
  if (!limit)
    return call.reply(problem(400, Errc::usage, fmt::format("limit is a number from 1 to {}", kMaxPoints)));
  if (const auto step = call.parameter("step"); !step.empty()) {
    const auto duration = parse_duration(step);
    if (!duration) return call.reply(problem(400, Errc::usage, "step: " + duration.error().message));
    query.step = std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
    if (query.step.count() <= 0) return call.reply(problem(400, Errc::usage, "step is at least 1ms"));
  }
  query.from = *from;
  query.to = *to;
  query.limit = *limit;
  query.cursor = call.parameter("cursor");
  const std::string uid = query.uid, resource = query.resource;
  const bool raw = call.parameter("raw") == "true";
  ask_store<store::HistoryPage>(
      services, std::move(call),
      [&](Completion<store::HistoryPage> done) {
        return services.store->history(std::move(query), std::move(done));
      },
      [uid, resource, raw](RestCall& asked, Result<store::HistoryPage> page) {
        if (!page) return asked.reply(problem(page.error().code == Errc::usage ? 400 : 500, page.error()));
        std::string body;
        wire::JsonWriter json(body);
        json.open_object();
        json.string("node", uid);
        json.string("resource", resource);
        write_history(json, *page, raw);
        json.close_object();
        asked.reply(json_response(std::move(body)));
      });
}

void import_history(const RestServices& services, RestCall call) {
  std::vector<std::pair<Imported, WallTime>> lines;
  const auto first = parse_limit(call.parameter("first_line"), 1, kMaxFirstLine);
  if (!first) return call.reply(problem(400, Errc::usage, "first_line is a number from 1 on"));
  std::size_t number = *first - 1;
  for (const auto line : text::split(call.request.body, '\n')) {
    ++number;
    if (text::trim(line).empty()) continue;
    Imported read;
    auto good = read_line(line, read);
    auto time = good ? parse_time(read.time) : Result<WallTime>(good.error());
    if (!time || lines.size() >= kMaxImport) {
      return call.reply(problem(400, Errc::usage,
                                time ? fmt::format("more than {} lines", kMaxImport)
                                     : fmt::format("line {}: {}; nothing of the request was imported", number,
                                                   time.error().message)));
    }
    lines.emplace_back(std::move(read), *time);
  }
  for (const auto& [line, time] : lines)
    services.store->update(line.node, {line.resource, line.value, time, line.content_format, line.raw_json,
                                       line.time_uncertain});
  struct Waiting {
    RestServices services;
    RestCall call;
    std::size_t count;
  };
  auto waiting = std::make_unique<Waiting>(Waiting{services, std::move(call), lines.size()});
  services.store->commit({}, {}, 0, [waiting = std::move(waiting)](const Result<void>& result) {
    if (waiting->services.alive.expired()) return;
    if (!result) return waiting->call.reply(problem(500, result.error()));
    note_import(waiting->services, waiting->call.principal, waiting->count);
    waiting->call.reply(json_response(fmt::format(R"({{"imported":{}}})", waiting->count)));
  });
}

}  // namespace aiot::broker
