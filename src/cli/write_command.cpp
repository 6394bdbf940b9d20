#include "cli/write_command.h"

#include <fmt/format.h>

#include "cli/context.h"
#include "cli/exit_status.h"
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
  if (method_ == Method::put) request_.add_qos(app);
  if (has_value_) request_.add_method(app);
  request_.add_common(app);
  request_.add_results(app);
  request_.add_many(app);
}

Result<WriteCommand::Words> WriteCommand::words() const {
  Words out;
  if (!has_value_) {
    out.targets = words_;
    return out;
  }
  // With --from the targets come from there, and the only word is the value.
  const std::size_t at = request_.from().empty() ? 1 : 0;
  if (words_.size() > at + 1) {
    return make_error(Errc::usage,
                      fmt::format("unexpected argument '{}'", text::escape_controls(words_[at + 1])));
  }
  if (at == 1 && !words_.empty()) out.targets.push_back(words_[0]);
  if (words_.size() > at) out.value = words_[at];
  if (out.value == "-" && request_.from() == "-") {
    return make_error(Errc::usage, "standard input cannot be both VALUE and --from");
  }
  return out;
}

std::string_view WriteCommand::verb(Method method) const {
  if (method != method_) return to_string(method);
  return method == Method::put ? "put" : method == Method::post ? "post" : "delete";
}

int WriteCommand::run(Context& context) {
  auto request = request_.make(context, method_);
  if (!request) return context.fail(request.error());
  if (words_.empty() && request_.from().empty())
    return context.fail(make_error(Errc::usage, "URI is missing"));
  auto given = words();
  if (!given) return context.fail(given.error());
  auto targets = resolve_targets(context, given->targets, request_.from());
  if (!targets) return context.fail(targets.error());
  if (const int refused = prepare_targets(context, verb(request->method), *targets); refused != kDone)
    return refused;
  ResultPrinter printer(context, request_, request->method, targets->size() > 1 || !request_.from().empty());
  if (auto checked = printer.check(); !checked) return fail_unsent(context, checked.error(), *targets);
  auto value = read_value(given->value);
  if (!value) return fail_unsent(context, value.error(), *targets);
  request->payload = std::move(*value);
  return RequestRun(context, std::move(*targets), std::move(*request), printer, request_.parallel()).run();
}

}  // namespace aiot::cli
