#pragma once

#include <string>

#include "core/client.h"

namespace aiot::cli {

class Context;
class RequestOptions;

/// Prints what requests answer, as --output says.
class ResultPrinter {
 public:
  /// `method`: of the requests; `many`: there may be more than one target, so text lines name theirs.
  ResultPrinter(Context& context, const RequestOptions& options, Method method, bool many);

  /// Errc::usage for options that exclude each other. Call once, first.
  [[nodiscard]] Result<void> check();
  /// On a terminal text has a broker's state and age behind the value.
  void show_freshness() { shows_freshness_ = true; }
  void response(const Response& response);
  /// JSON events stand between the values, others go to stderr.
  void event(const StreamEvent& event);
  /// The line that --json would print.
  [[nodiscard]] std::string json(const Response& response) const;
  [[nodiscard]] bool parse_json() const { return parse_json_; }

 private:
  void text(const Response& response);

  Context& context_;
  Method method_;
  bool is_read_;
  bool many_;
  bool raw_;
  bool parse_json_;
  std::string out_;
  bool shows_freshness_ = false;
  bool header_printed_ = false;
};

}  // namespace aiot::cli
