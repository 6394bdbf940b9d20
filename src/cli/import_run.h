#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/broker_api.h"
#include "cli/line_reader.h"
#include "cli/runner.h"

namespace aiot::cli {

class Context;

/// Sends lines to POST /api/v1/history, so many in a request as it takes; one request at a time, and no line
/// is read before there is room for it.
class ImportRun {
 public:
  static constexpr std::size_t kMaxLines = 10'000;      ///< a request
  static constexpr std::size_t kMaxBytes = 512 * 1024;  ///< a request

  /// `name`: of what `fd` reads, for messages.
  ImportRun(Context& context, BrokerApi api, int fd, std::string name);
  int run();

 private:
  void take(std::string line);
  void ended(const Result<void>& end);
  void send();
  void answered(const Result<nlohmann::ordered_json>& answer);
  void finish(int status);

  Context& context_;
  Runner runner_;
  BrokerApi api_;
  std::string name_;
  LineReader reader_;
  std::string body_;
  std::size_t lines_ = 0;  ///< in the body
  std::size_t first_ = 1;  ///< the body's first line's number
  std::string held_;       ///< the line that had no room in it
  bool holds_ = false, at_end_ = false;
  std::size_t imported_ = 0;
  Operation operation_;
};

}  // namespace aiot::cli
