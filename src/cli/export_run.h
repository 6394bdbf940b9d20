#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>

#include "cli/broker_api.h"
#include "cli/history_reader.h"
#include "cli/runner.h"
#include "cli/time_range.h"

namespace aiot::cli {

class Context;

/// Prints the history of a broker's nodes, resource by resource, as NDJSON that ImportRun takes.
class ExportRun {
 public:
  /// `pattern`: of uids, `*` for any characters; empty for all.
  ExportRun(Context& context, BrokerApi api, TimeRange range, std::string pattern);
  ~ExportRun();
  int run();

 private:
  void ask();
  void answered(Result<nlohmann::ordered_json> page);
  Result<void> take(const nlohmann::ordered_json& page);
  void next_resource();
  void print(const nlohmann::ordered_json& point);
  void failed(const Error& error);

  Context& context_;
  Runner runner_;
  BrokerApi api_;
  HistoryQuery query_;
  std::string pattern_;
  std::string cursor_;  ///< of the next page of nodes; empty after the last
  std::deque<std::pair<std::string, std::string>> waiting_;  ///< uid and resource, of one page
  std::unique_ptr<HistoryReader> reader_;
  std::size_t values_ = 0, resources_ = 0;
  Operation operation_;
};

}  // namespace aiot::cli
