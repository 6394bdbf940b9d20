#pragma once

#include <memory>
#include <string>

#include "cli/finding.h"

namespace aiot::cli {

class Context;

/// By what the gateway of this machine proves itself.
struct UplinkTarget {
  std::string name;
  std::string token_file;  ///< counts before the keys, as with the gateway itself
  std::string key_file;
};

/// Whether the broker of --broker admits that gateway: knocks where gateways connect, and goes before it says
/// which one it is, so that the one that is connected stays.
class UplinkProbe {
 public:
  virtual ~UplinkProbe() = default;
  /// `done` once, possibly at once. Destroying the probe cancels.
  static std::unique_ptr<UplinkProbe> start(Context& context, const UplinkTarget& target,
                                            const Report& report, UniqueFunction<void()> done);
};

}  // namespace aiot::cli
