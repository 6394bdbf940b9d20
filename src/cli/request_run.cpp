#include "cli/request_run.h"

#include <fmt/format.h>

#include <utility>

#include "cli/context.h"
#include "cli/result_printer.h"

namespace aiot::cli {

namespace {

std::vector<std::string> hosts_of(const std::vector<Target>& targets) {
  std::vector<std::string> out;
  out.reserve(targets.size());
  for (const Target& target : targets) out.push_back(host_key(target.uri));
  return out;
}

}  // namespace

RequestRun::RequestRun(Context& context, std::vector<Target> targets, Request request, ResultPrinter& printer,
                       std::size_t parallel)
    : context_(context),
      runner_(context),
      targets_(std::move(targets)),
      request_(std::move(request)),
      printer_(printer),
      slots_(targets_.size()),
      schedule_(parallel, hosts_of(targets_), [this](std::size_t index) { start(index); }) {}

int RequestRun::run() {
  schedule_.go();
  const int status = runner_.run();
  slots_.clear();
  return status;
}

void RequestRun::start(std::size_t index) {
  if (targets_[index].failed) {
    context_.loop().post([this, index] { answered(index, *targets_[index].failed); });
    return;
  }
  Request request = request_;
  request.uri = targets_[index].uri;
  slots_[index].operation = targets_[index].client->request(
      std::move(request), [this, index](Result<Response> result) { answered(index, std::move(result)); });
}

void RequestRun::answered(std::size_t index, Result<Response> result) {
  Slot& slot = slots_[index];
  slot.done = true;
  if (result) {
    slot.response = std::move(*result);
    tally_.succeeded();
  } else {
    context_.fail(with_outcome(result.error(), request_.method), targets_[index].uri.text);
    tally_.failed(index, result.error().code);
  }
  print_ready();
  schedule_.finished(index);
  if (schedule_.done()) runner_.finish(report_tally(context_, tally_, "targets"));
}

void RequestRun::print_ready() {
  while (printed_ < slots_.size() && slots_[printed_].done) {
    if (slots_[printed_].response) printer_.response(*slots_[printed_].response);
    slots_[printed_].response.reset();
    ++printed_;
  }
}

Error with_outcome(Error error, Method method) {
  if (is_write(method) && error.outcome == Outcome::none) {
    error.outcome = error.code == Errc::usage ? Outcome::not_sent : Outcome::unknown;
  }
  return error;
}

int report_tally(Context& context, const Tally& tally, const char* what) {
  const int status = tally.status();
  if (status == kPartial) {
    context.fail(
        make_error(Errc::partial, fmt::format("{} of {} {} failed", tally.failures(), tally.total(), what)));
  }
  return status;
}

}  // namespace aiot::cli
