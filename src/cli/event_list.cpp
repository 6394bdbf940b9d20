#include "cli/event_list.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "cli/present.h"
#include "cli/report.h"
#include "cli/text_table.h"
#include "core/base/text.h"
#include "core/loop/event_loop.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

constexpr Duration kAskAgain = std::chrono::seconds(1);
constexpr std::size_t kTypeWidth = 16, kNameWidth = 16;

Result<std::uint64_t> id_of(const ordered_json& event) {
  const auto id = event.find("id");
  if (!event.is_object() || id == event.end() || !id->is_number_unsigned()) {
    return make_error(Errc::peer_failed, "the broker's list of events is malformed");
  }
  return id->get<std::uint64_t>();
}

}  // namespace

std::string event_text(const ordered_json& event, bool escape) {
  const auto shown = [escape](const std::string& text) {
    return escape ? text::escape_controls(text) : text;
  };
  const std::string time = member(event, "time");
  const auto parsed = parse_time(time);
  std::string name = member(event, "node");
  if (name.empty()) name = member(event, "gateway");
  if (name.empty()) name = "-";
  return fmt::format("{}  {}  {}  {}", parsed ? format_local(*parsed) : shown(time),
                     padded(shown(member(event, "type")), kTypeWidth), padded(shown(name), kNameWidth),
                     shown(member(event, "message")));
}

EventList::EventList(Context& context, BrokerApi api, EventQuery query)
    : context_(context),
      runner_(context),
      api_(std::move(api)),
      query_(std::move(query)),
      again_(context.loop().make_timer([this] { lost_ ? returned() : ask(false); })) {}

int EventList::run() {
  ask(query_.limit > 0);
  const int status = runner_.run();
  operation_.cancel();
  return status;
}

void EventList::ask(bool newest) {
  const std::size_t limit = newest ? query_.limit : EventQuery::kMaxLimit;
  operation_ = api_.get(api_path("events", {{"from", query_.range.from()},
                                            {"to", query_.range.to()},
                                            {"node", query_.node},
                                            {"type", query_.type},
                                            {"newest", newest ? "true" : ""},
                                            {"limit", std::to_string(limit)},
                                            {"cursor", last_ == 0 ? "" : std::to_string(last_)}}),
                        [this](Result<ordered_json> page) { answered(std::move(page)); });
}

void EventList::answered(Result<ordered_json> page) {
  auto more = page ? take(*page) : Result<bool>(page.error());
  if (!more) return failed(more.error());
  if (!std::exchange(answered_, true) && query_.limit > 0) *more = false;
  if (runner_.finished()) return;
  if (*more) return ask(false);
  if (!query_.follow) return runner_.finish(kDone);
  again_->start(kAskAgain);
}

Result<bool> EventList::take(const ordered_json& page) {
  const auto items = page.find("items");
  if (items == page.end() || !items->is_array()) {
    return make_error(Errc::peer_failed, "the broker's list of events is malformed");
  }
  Output& output = context_.output();
  for (const ordered_json& event : *items) {
    const auto id = id_of(event);
    if (!id) return id.error();
    last_ = *id;
    output.line(context_.json() ? json_line(event) : event_text(event, output.is_terminal()));
  }
  return !items->empty() && !member(page, "next").empty();
}

void EventList::failed(const Error& error) {
  const bool passes =
      error.code == Errc::unreachable || error.code == Errc::timeout || error.code == Errc::peer_failed;
  if (!query_.follow || !answered_ || !passes) {
    return runner_.finish(context_.fail(error, api_.base_uri()));
  }
  if (!std::exchange(lost_, true)) notice(StreamEvent::Kind::lost, error.message);
  again_->start(kAskAgain);
}

void EventList::returned() {
  // One that lost its store counts anew: what it has is then behind the last id that was seen here.
  operation_ = api_.get(api_path("events", {{"newest", "true"}, {"limit", "1"}}),
                        [this](const Result<ordered_json>& page) {
                          if (!page) return failed(page.error());
                          const auto items = page->find("items");
                          const bool empty = items == page->end() || !items->is_array() || items->empty();
                          const auto newest = empty ? Result<std::uint64_t>(0) : id_of(items->front());
                          if (!newest) return failed(newest.error());
                          lost_ = false;
                          notice(StreamEvent::Kind::resumed, {});
                          if (*newest < last_) {
                            notice(StreamEvent::Kind::gap, "the broker's events begin anew");
                            last_ = 0;
                          }
                          ask(false);
                        });
}

void EventList::notice(StreamEvent::Kind kind, const std::string& reason) {
  const StreamEvent event{kind, api_.base_uri(), reason, context_.loop().wall_now(), std::nullopt};
  if (context_.json()) {
    write_stderr(json_line(event_object(event)));
  } else if (!context_.settings().quiet) {
    write_stderr("aiot: " + text::escape_controls(event_sentence(event)));
  }
}

}  // namespace aiot::cli
