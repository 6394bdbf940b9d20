#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "cli/exit_status.h"
#include "cli/runner.h"
#include "cli/schedule.h"
#include "cli/targets.h"
#include "core/client.h"

namespace aiot::cli {

class Context;
class ResultPrinter;

/// One request to each of many targets. Results are printed in the targets' order, failures as they come.
class RequestRun {
 public:
  RequestRun(Context& context, std::vector<Target> targets, Request request, ResultPrinter& printer,
             std::size_t parallel);
  /// Runs the loop; returns the exit status.
  int run();

 private:
  struct Slot {
    Operation operation;
    std::optional<Response> response;
    bool done = false;
  };
  void start(std::size_t index);
  void answered(std::size_t index, Result<Response> result);
  void print_ready();

  Context& context_;
  Runner runner_;
  std::vector<Target> targets_;
  Request request_;
  ResultPrinter& printer_;
  std::vector<Slot> slots_;
  Schedule schedule_;
  std::size_t printed_ = 0;
  Tally tally_;
};

/// A failed write with its outcome where it has none yet: what is a usage error was found before it left.
[[nodiscard]] Error with_outcome(Error error, Method method);

/// Says on stderr how many failed when some did and others did not; returns the tally's status.
int report_tally(Context& context, const Tally& tally, const char* what);

}  // namespace aiot::cli
