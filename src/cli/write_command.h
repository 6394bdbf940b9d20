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
  /// What the words are.
  struct Words {
    std::vector<std::string> targets;
    std::string value;  ///< as read_value() takes it
  };
  [[nodiscard]] Result<Words> words() const;
  /// "put", or the method that --method names.
  [[nodiscard]] std::string_view verb(Method method) const;

  Method method_;
  bool has_value_;
  std::vector<std::string> words_;
  RequestOptions request_;
};

}  // namespace aiot::cli
