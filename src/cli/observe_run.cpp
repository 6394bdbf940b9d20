#include "cli/observe_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/context.h"
#include "cli/present.h"
#include "cli/report.h"
#include "cli/request_run.h"
#include "cli/result_printer.h"
#include "core/base/text.h"

namespace aiot::cli {

ObserveRun::ObserveRun(Context& context, std::vector<Target> targets, Request request, ResultPrinter& printer,
                       Limits limits)
    : context_(context),
      runner_(context),
      targets_(std::move(targets)),
      request_(std::move(request)),
      printer_(printer),
      limits_(std::move(limits)),
      streams_(targets_.size()),
      answered_(targets_.size(), false) {}

int ObserveRun::run() {
  if (targets_.empty()) return kDone;
  if (!limits_.exec.empty()) {
    exec_ = std::make_unique<ExecQueue>(context_.loop(), limits_.exec);
    exec_->on_idle([this] {
      if (ending_) runner_.finish(*ending_);
    });
    exec_->on_dropped([this](std::uint64_t dropped) {
      event({StreamEvent::Kind::gap,
             {},
             "--exec is slower than the values",
             context_.loop().wall_now(),
             dropped});
    });
  }
  if (limits_.duration) {
    end_ = context_.loop().make_timer([this] { time_over(); });
    end_->start(*limits_.duration);
  }
  for (std::size_t i = 0; i < targets_.size(); ++i) start(i);
  const int status = runner_.run();
  // Ending an observation says so to the peer (RFC 7641 section 3.6).
  stop_streams();
  exec_.reset();
  return status;
}

void ObserveRun::start(std::size_t index) {
  Request request = request_;
  request.uri = targets_[index].uri;
  auto next = [this, index](Client::Notification notification) { notified(index, std::move(notification)); };
  auto done = [this, index](Result<void> result) {
    if (!result) failed(index, result.error());
  };
  Stream& stream = streams_[index];
  if (limits_.poll) {
    stream.poller = std::make_unique<Poller>(context_.loop(), *targets_[index].client, std::move(request),
                                             *limits_.poll, std::move(next), std::move(done));
  } else {
    stream.operation = targets_[index].client->observe(std::move(request), std::move(next), std::move(done));
  }
}

void ObserveRun::notified(std::size_t index, Client::Notification notification) {
  if (ending_ || runner_.finished()) return;
  if (const auto* what = std::get_if<StreamEvent>(&notification)) {
    event(*what);
    return;
  }
  if (!answered_[index]) {
    answered_[index] = true;
    tally_.succeeded();
  }
  value(std::get<Response>(notification));
}

void ObserveRun::value(const Response& response) {
  if (exec_) {
    exec_->submit(response_object(response, true, printer_.parse_json()));
  } else {
    printer_.response(response);
  }
  if (++received_ == limits_.count) wind_down(tally_.status());
}

void ObserveRun::event(const StreamEvent& event) {
  if (!exec_) {
    printer_.event(event);
  } else if (context_.json()) {
    write_stderr(json_line(event_object(event)));
  } else if (!context_.settings().quiet) {
    write_stderr("aiot: " + text::escape_controls(event_sentence(event)));
  }
}

void ObserveRun::failed(std::size_t index, const Error& error) {
  if (ending_ || runner_.finished() || streams_[index].failed) return;
  streams_[index].failed = true;
  context_.fail(error, targets_[index].uri.text);
  tally_.failed(index, error.code);
  for (const Stream& stream : streams_) {
    if (!stream.failed) return;
  }
  wind_down(report_tally(context_, tally_, "targets"));
}

void ObserveRun::time_over() {
  if (runner_.finished()) return;
  if (ending_) return cut_exec();
  int status = tally_.status();
  if (limits_.count > 0) {
    status = context_.fail(
        make_error(Errc::timeout, fmt::format("{} of {} values came in {}", received_, limits_.count,
                                              format_duration(*limits_.duration))));
  } else if (received_ == 0 && tally_.total() == 0) {
    status = context_.fail(
        make_error(Errc::timeout, fmt::format("no value came in {}", format_duration(*limits_.duration))));
  }
  wind_down(status);
  if (!runner_.finished()) cut_exec();
}

void ObserveRun::cut_exec() {
  if (const std::size_t dropped = exec_->drop_waiting(); dropped > 0) {
    event({StreamEvent::Kind::gap,
           {},
           "--for is over, and --exec has not run",
           context_.loop().wall_now(),
           dropped});
  }
  end_ = context_.loop().make_timer([this] {
    context_.note("--for is over: the command of --exec that still ran is ended");
    runner_.finish(*ending_);
  });
  end_->start(ExecQueue::kPatience);
}

void ObserveRun::wind_down(int status) {
  if (ending_) return;
  ending_ = status;
  // Not the streams: this may run inside a callback of one. They are silent from here on.
  if (!exec_ || exec_->idle()) runner_.finish(status);
}

void ObserveRun::stop_streams() { streams_.clear(); }

}  // namespace aiot::cli
