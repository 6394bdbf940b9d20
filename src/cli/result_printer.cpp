#include "cli/result_printer.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"
#include "cli/present.h"
#include "cli/report.h"
#include "cli/request_options.h"
#include "core/base/text.h"

namespace aiot::cli {

ResultPrinter::ResultPrinter(Context& context, const RequestOptions& options, Method method, bool many)
    : context_(context),
      method_(method),
      is_read_(!is_write(method)),
      many_(many),
      raw_(options.raw()),
      parse_json_(options.parse_json()),
      out_(options.out()) {}

Result<void> ResultPrinter::check() {
  const Settings& settings = context_.settings();
  if (raw_ && settings.output != OutputFormat::text && settings.has_flag("--output")) {
    return make_error(Errc::usage,
                      "--raw prints payloads as they are; it does not go with --json or --output csv");
  }
  if (!out_.empty()) {
    context_.output().redirect(out_);
    if (!many_ && settings.output == OutputFormat::text) raw_ = true;
  }
  return {};
}

std::string ResultPrinter::json(const Response& response) const {
  return json_line(response_object(response, is_read_, parse_json_));
}

void ResultPrinter::response(const Response& response) {
  Output& output = context_.output();
  if (raw_) {
    output.write(response.payload);
  } else if (context_.settings().output == OutputFormat::json) {
    output.line(json(response));
  } else if (context_.settings().output == OutputFormat::csv) {
    if (!header_printed_) output.write(kCsvHeader);
    header_printed_ = true;
    output.write(csv_line(response_object(response, is_read_, parse_json_), output.is_terminal()));
  } else {
    text(response);
  }
}

void ResultPrinter::text(const Response& response) {
  // What a broker answers to a PUT is the value that stands there now: the one that was written.
  const bool echoed = method_ == Method::put && !response.node.empty();
  if (!is_read_ && (response.payload.empty() || echoed)) return;
  Output& output = context_.output();
  const bool escape = output.is_terminal();
  std::string value = payload_text(response, escape, !many_);
  if (escape && shows_freshness_) value += freshness_text(response, colours_on(STDOUT_FILENO));
  if (!many_) {
    output.line(value);
    return;
  }
  output.line((escape ? text::escape_controls(response.uri) : response.uri) + "\t" + value);
}

void ResultPrinter::event(const StreamEvent& event) {
  if (context_.json() && !raw_) {
    context_.output().line(json_line(event_object(event)));
  } else if (!context_.settings().quiet) {
    write_stderr("aiot: " + text::escape_controls(event_sentence(event)));
  }
}

}  // namespace aiot::cli
