#include "cli/write_command.h"

#include <fmt/format.h>

#include "cli/context.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/request_run.h"
#include "cli/result_printer.h"
#include "core/base/text.h"

namespace aiot::cli {

void WriteCommand::configure(CLI::App& app) {
  if (has_value_) {
    add_arguments(
        app, "URI [VALUE]", words_,
        "the resource, and what to write: a text, - for standard input, @FILE for a file; none is an "
        "empty payload",
        false);
  } else {
    add_arguments(app, "URI", words_, "the resources", false);
  }
  request_.add_writing(app);
  if (has_value_) request_.add_method(app);
  request_.add_common(app);
  request_.add_results(app);
  request_.add_many(app);
}

Result<std::string> WriteCommand::payload(std::vector<std::string>& targets) const {
  if (!has_value_) {
    targets = words_;
    return std::string();
  }
  // With --from the targets come from there, and the only word is the value.
  const std::size_t at = request_.from().empty() ? 1 : 0;
  if (words_.size() > at + 1) {
    return make_error(Errc::usage,
                      fmt::format("unexpected argument '{}'", text::escape_controls(words_[at + 1])));
  }
  if (at == 1 && !words_.empty()) targets.push_back(words_[0]);
  if (words_.size() <= at) return std::string();
  if (words_[at] == "-" && request_.from() == "-") {
    return make_error(Errc::usage, "standard input cannot be both VALUE and --from");
  }
  return read_value(words_[at]);
}

int WriteCommand::run(Context& context) {
  auto request = request_.make(context, method_);
  if (!request) return context.fail(request.error());
  if (words_.empty() && request_.from().empty())
    return context.fail(make_error(Errc::usage, "URI is missing"));
  std::vector<std::string> given;
  auto value = payload(given);
  if (!value) return context.fail(value.error());
  request->payload = std::move(*value);
  auto targets = resolve_targets(context, given, request_.from());
  if (!targets) return context.fail(targets.error());
  ResultPrinter printer(context, request_, request->method == Method::fetch,
                        targets->size() > 1 || !request_.from().empty());
  if (auto checked = printer.check(); !checked) return context.fail(checked.error());
  return RequestRun(context, std::move(*targets), std::move(*request), printer, request_.parallel()).run();
}

}  // namespace aiot::cli
