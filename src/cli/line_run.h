#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "cli/exit_status.h"
#include "cli/line_reader.h"
#include "cli/runner.h"
#include "cli/targets.h"
#include "core/client.h"

namespace aiot::cli {

class Context;
class ResultPrinter;

/// Publishes the lines of standard input in their order, and says at the end, or when a signal ends it, what
/// became of them. On MQTT many are on their way at once, and standard input is read as acknowledgements
/// come; elsewhere the next line leaves when the last is answered.
class LineRun {
 public:
  LineRun(Context& context, Target target, Request request, ResultPrinter& printer);
  /// Runs the loop; returns the exit status.
  int run();

 private:
  void send(std::string line);
  void answered(std::size_t number, Result<Response> result);
  void failed(std::size_t number, Error error);
  void ended(const Result<void>& end);
  void finish_if_done();
  void print_ledger();

  Context& context_;
  Runner runner_;
  Target target_;
  Request request_;
  ResultPrinter& printer_;
  LineReader reader_;
  std::size_t window_;
  std::map<std::size_t, Operation> open_;  ///< by the line's number
  Tally tally_;
  std::size_t read_ = 0, not_sent_ = 0, acknowledged_ = 0, failed_ = 0;
  std::string last_failure_;
  bool at_end_ = false;
  std::optional<int> status_;
};

}  // namespace aiot::cli
