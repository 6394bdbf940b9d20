#pragma once

#include "cli/options.h"
#include "cli/settings.h"

namespace aiot::cli {

class Context;

/// What secures coaps and coaps+tcp beside certificates: --psk-file and --psk-identity.
class PskOptions {
 public:
  void configure(CLI::App& app);
  /// For the clients that the context makes from now on.
  void apply(Context& context) const;

 private:
  PskSettings settings_;
};

}  // namespace aiot::cli
