#include "cli/export_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "cli/present.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

constexpr const char* kPage = "100";

}  // namespace

ExportRun::ExportRun(Context& context, BrokerApi api, TimeRange range, std::string pattern)
    : context_(context), runner_(context), api_(std::move(api)), pattern_(std::move(pattern)) {
  query_.range = range;
  query_.raw = true;
}

ExportRun::~ExportRun() = default;

int ExportRun::run() {
  ask();
  const int status = runner_.run();
  reader_.reset();
  operation_.cancel();
  return status;
}

void ExportRun::ask() {
  operation_ = api_.get(api_path("nodes", {{"limit", kPage}, {"cursor", cursor_}}),
                        [this](Result<ordered_json> page) { answered(std::move(page)); });
}

void ExportRun::answered(Result<ordered_json> page) {
  if (!page) return failed(page.error());
  if (auto taken = take(*page); !taken) return failed(taken.error());
  next_resource();
}

Result<void> ExportRun::take(const ordered_json& page) {
  const auto items = page.find("items");
  if (items == page.end() || !items->is_array()) {
    return make_error(Errc::peer_failed, "the broker's list of nodes is malformed");
  }
  for (const ordered_json& node : *items) {
    const std::string uid = member(node, "uid");
    const auto resources = node.find("resources");
    if (resources == node.end() || !resources->is_object()) continue;
    if (!pattern_.empty() && !text::glob_match(pattern_, uid)) continue;
    for (const auto& [name, value] : resources->items()) waiting_.emplace_back(uid, name);
  }
  cursor_ = items->empty() ? std::string() : member(page, "next");
  return {};
}

void ExportRun::next_resource() {
  if (runner_.finished()) return;
  if (waiting_.empty() && !cursor_.empty()) return ask();
  if (waiting_.empty()) {
    context_.note(fmt::format("exported {} values of {} resources", values_, resources_));
    return runner_.finish(kDone);
  }
  std::tie(query_.uid, query_.resource) = std::move(waiting_.front());
  waiting_.pop_front();
  reader_ = std::make_unique<HistoryReader>(
      api_, query_, [this](const HistoryReader::Point& point) { print(point); },
      [this](const Result<std::size_t>& result) {
        if (!result) return failed(result.error());
        values_ += *result;
        if (*result > 0) ++resources_;
        next_resource();
      });
  reader_->start();
}

void ExportRun::print(const ordered_json& point) {
  ordered_json line = ordered_json::object();
  line["node"] = query_.uid;
  line["resource"] = query_.resource;
  line.update(point);
  context_.output().line(json_line(line));
}

void ExportRun::failed(const Error& error) {
  runner_.finish(context_.fail(error, waiting_.empty() && query_.uid.empty()
                                          ? api_.base_uri()
                                          : fmt::format("{}/{}", api_.uri_of(query_.uid), query_.resource)));
}

}  // namespace aiot::cli
