#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/exit_status.h"
#include "cli/history_printer.h"
#include "cli/history_reader.h"
#include "cli/runner.h"
#include "cli/targets.h"

namespace aiot::cli {

class Context;

/// Prints the history of targets, one after another, as it comes.
class HistoryRun {
 public:
  /// `query`: for each; its uid and resource are the targets'.
  HistoryRun(Context& context, std::vector<Target> targets, HistoryQuery query);
  ~HistoryRun();
  int run();

 private:
  void next();
  void begin(const BrokerApi& api);
  void failed(const Error& error);
  void chart(const BrokerApi& api);
  void chart_done(const BrokerApi& api, const Result<std::size_t>& result);
  void read(const BrokerApi& api);
  void ended(const Result<std::size_t>& result);

  Context& context_;
  Runner runner_;
  std::vector<Target> targets_;
  HistoryQuery query_;
  HistoryPrinter printer_;
  std::size_t at_ = 0;
  std::unique_ptr<HistoryReader> reader_;
  std::vector<nlohmann::ordered_json> chart_;  ///< at most a line's
  Duration chart_step_{};
  Tally tally_;
};

}  // namespace aiot::cli
