#include "cli/history_run.h"

#include <unistd.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/chart.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/request_run.h"
#include "core/base/text.h"
#include "core/loop/event_loop.h"
#include "core/relay/target.h"

namespace aiot::cli {

HistoryRun::HistoryRun(Context& context, std::vector<Target> targets, HistoryQuery query)
    : context_(context),
      runner_(context),
      targets_(std::move(targets)),
      query_(std::move(query)),
      printer_(context, query_.step > Duration::zero(), targets_.size() > 1) {}

HistoryRun::~HistoryRun() = default;

int HistoryRun::run() {
  printer_.begin();
  next();
  const int status = runner_.run();
  reader_.reset();
  return status;
}

void HistoryRun::next() {
  for (; at_ < targets_.size(); ++at_) {
    const Target& target = targets_[at_];
    auto api = target.failed ? Result<BrokerApi>(*target.failed)
                             : BrokerApi::of(context_, target.uri, target.prefix);
    if (api) return begin(*api);
    failed(api.error());
  }
  runner_.finish(report_tally(context_, tally_, "targets"));
}

void HistoryRun::begin(const BrokerApi& api) {
  const relay::Target named = relay::target_of(targets_[at_].uri);
  query_.uid = named.uid;
  query_.resource = named.resource;
  const bool drawn = context_.settings().output == OutputFormat::text && context_.output().is_terminal();
  drawn&& query_.range.since ? chart(api) : read(api);
}

void HistoryRun::failed(const Error& error) {
  context_.fail(error, targets_[at_].uri.text);
  tally_.failed(at_, error.code);
}

void HistoryRun::chart(const BrokerApi& api) {
  HistoryQuery query = query_;
  const WallTime until = query.range.until.value_or(context_.loop().wall_now());
  chart_step_ = query.step = chart_step(*query.range.since, until, terminal_width(STDOUT_FILENO));
  query.limit = 0;
  chart_.clear();
  reader_ = std::make_unique<HistoryReader>(
      api, std::move(query), [this](const HistoryReader::Point& point) { chart_.push_back(point); },
      [this, api](const Result<std::size_t>& result) { chart_done(api, result); });
  reader_->start();
}

void HistoryRun::chart_done(const BrokerApi& api, const Result<std::size_t>& result) {
  if (!result) return ended(result.error());
  context_.output().write(history_chart(chart_, *query_.range.since, chart_step_,
                                        text::escape_controls(targets_[at_].uri.text),
                                        colours_on(STDOUT_FILENO)));
  read(api);
}

void HistoryRun::read(const BrokerApi& api) {
  reader_ = std::make_unique<HistoryReader>(
      api, query_,
      [this, uri = targets_[at_].uri.text](const HistoryReader::Point& point) {
        printer_.point(point, uri, query_.uid, query_.resource);
      },
      [this](const Result<std::size_t>& result) { ended(result); });
  reader_->start();
}

void HistoryRun::ended(const Result<std::size_t>& result) {
  if (!result) {
    failed(result.error());
  } else {
    tally_.succeeded();
    if (*result == 0) context_.note(targets_[at_].uri.text + ": no value in that time");
  }
  ++at_;
  if (!runner_.finished()) next();
}

}  // namespace aiot::cli
