#pragma once

#include <memory>

#include "cli/finding.h"

namespace aiot::cli {

class Context;

/// Asks the broker of --broker, hop by hop: its name, its port, TLS, whether it is ready, how far the clocks
/// are apart, the token, and the gateways that it knows. What cannot be asked because of a failure is not
/// reported.
class BrokerProbe {
 public:
  virtual ~BrokerProbe() = default;
  /// `reader_expected`: that nothing may be read is a failure. `done` once, possibly at once; it must not
  /// destroy the probe. Destroying it cancels.
  static std::unique_ptr<BrokerProbe> start(Context& context, bool reader_expected, const Report& report,
                                            UniqueFunction<void()> done);
};

/// What to do about TLS that failed for that reason, whose message has OpenSSL's or libwebsockets' words;
/// pure.
[[nodiscard]] std::string tls_remedy(const Error& why);

}  // namespace aiot::cli
