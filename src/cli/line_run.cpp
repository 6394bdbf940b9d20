#include "cli/line_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include "cli/context.h"
#include "cli/report.h"
#include "cli/request_run.h"
#include "cli/result_printer.h"

namespace aiot::cli {

namespace {

/// Lines on their way at once over MQTT; the session's own window is what the broker sees.
constexpr std::size_t kPipelined = 1000;

}  // namespace

LineRun::LineRun(Context& context, Target target, Request request, ResultPrinter& printer)
    : context_(context),
      runner_(context),
      target_(std::move(target)),
      request_(std::move(request)),
      printer_(printer),
      reader_(
          context.loop(), STDIN_FILENO, [this](std::string line) { send(std::move(line)); },
          [this](const Result<void>& end) { ended(end); }),
      window_(target_.uri.scheme == "mqtt" || target_.uri.scheme == "mqtts" ? kPipelined : 1) {}

int LineRun::run() {
  runner_.on_interrupt([this] { print_ledger(); });
  reader_.next();
  const int status = runner_.run();
  open_.clear();
  return status;
}

void LineRun::send(std::string line) {
  const std::size_t number = ++read_;
  Request request = request_;
  request.uri = target_.uri;
  request.payload = std::move(line);
  open_[number] = target_.client->request(
      std::move(request), [this, number](Result<Response> result) { answered(number, std::move(result)); });
  if (open_.size() < window_) reader_.next();
}

void LineRun::answered(std::size_t number, Result<Response> result) {
  const bool was_full = open_.size() >= window_;
  open_.erase(number);
  if (result) {
    ++acknowledged_;
    tally_.succeeded();
    printer_.response(*result);
  } else {
    failed(number, std::move(result).error());
  }
  if (was_full && !at_end_) reader_.next();
  finish_if_done();
}

void LineRun::failed(std::size_t number, Error error) {
  ++failed_;
  const Errc code = error.code;
  error = with_outcome(std::move(error), request_.method);
  if (error.outcome == Outcome::not_sent) ++not_sent_;
  tally_.failed(number, code);
  // A lost broker fails a windowful with the same words.
  if (window_ == 1 || error.message != last_failure_) {
    last_failure_ = error.message;
    error.message = fmt::format("line {}: {}", number, error.message);
    context_.fail(error, target_.uri.text);
  }
  // The client has tried for as long as it may: what is still to be read would fail the same way.
  if (window_ > 1 && (code == Errc::unreachable || code == Errc::timeout)) at_end_ = true;
}

void LineRun::ended(const Result<void>& end) {
  at_end_ = true;
  if (!end) status_ = fail_unsent(context_, end.error(), {target_});
  finish_if_done();
}

void LineRun::finish_if_done() {
  if (!at_end_ || !open_.empty() || runner_.finished()) return;
  print_ledger();
  runner_.finish(status_ ? *status_ : report_tally(context_, tally_, "messages"));
}

void LineRun::print_ledger() {
  const std::size_t sent = read_ - not_sent_;
  if (context_.json()) {
    write_stderr(fmt::format(R"({{"ledger":{{"read":{},"sent":{},"acknowledged":{},"failed":{}}}}})", read_,
                             sent, acknowledged_, failed_));
  } else if (!context_.settings().quiet) {
    write_stderr(fmt::format("aiot: {} lines read, {} sent, {} acknowledged, {} failed", read_, sent,
                             acknowledged_, failed_));
  }
}

}  // namespace aiot::cli
