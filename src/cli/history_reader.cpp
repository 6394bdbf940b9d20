#include "cli/history_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace aiot::cli {

namespace {

constexpr std::size_t kPage = 10'000;

}  // namespace

HistoryReader::HistoryReader(BrokerApi api, HistoryQuery query, UniqueFunction<void(const Point&)> point,
                             UniqueFunction<void(Result<std::size_t>)> done)
    : api_(std::move(api)), query_(std::move(query)), point_(std::move(point)), done_(std::move(done)) {}

void HistoryReader::ask(const std::string& cursor) {
  const std::size_t limit = query_.limit == 0 ? kPage : std::min(query_.limit - seen_, kPage);
  const auto step = std::chrono::duration_cast<std::chrono::milliseconds>(query_.step).count();
  operation_ = api_.get(api_path("history", {{"node", query_.uid},
                                             {"resource", query_.resource},
                                             {"from", query_.range.from()},
                                             {"to", query_.range.to()},
                                             {"step", step > 0 ? fmt::format("{}ms", step) : ""},
                                             {"raw", query_.raw ? "true" : ""},
                                             {"limit", std::to_string(limit)},
                                             {"cursor", cursor}}),
                        [this](Result<Point> page) { answered(std::move(page)); });
}

void HistoryReader::answered(Result<Point> page) {
  auto next = page ? take(*page) : Result<std::string>(page.error());
  if (next && !next->empty()) return ask(*next);
  auto done = std::move(done_);
  done(next ? Result<std::size_t>(seen_) : Result<std::size_t>(next.error()));
}

Result<std::string> HistoryReader::take(const Point& page) {
  const auto points = page.find("points");
  if (points == page.end() || !points->is_array()) {
    return make_error(Errc::peer_failed, "the broker's history is malformed");
  }
  for (const Point& point : *points) {
    if (!point.is_object()) return make_error(Errc::peer_failed, "the broker's history is malformed");
    if (query_.limit > 0 && seen_ >= query_.limit) return std::string();
    ++seen_;
    point_(point);
  }
  // A broker that names the next page but gives nothing would be asked for ever.
  if (points->empty() || (query_.limit > 0 && seen_ >= query_.limit)) return std::string();
  return member(page, "next");
}

}  // namespace aiot::cli
