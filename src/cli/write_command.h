#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/request_options.h"

namespace aiot::cli {

/// What put, post and delete share: one request with a payload to one target, or to each of --from.
class WriteCommand : public Command {
 public:
  WriteCommand(Method method, bool has_value) : method_(method), has_value_(has_value) {}
  void configure(CLI::App& app) override;
  int run(Context& context) override;

 private:
  /// Tells URI and VALUE apart, and reads the payload.
  Result<std::string> payload(std::vector<std::string>& targets) const;

  Method method_;
  bool has_value_;
  std::vector<std::string> words_;
  RequestOptions request_;
};

}  // namespace aiot::cli
