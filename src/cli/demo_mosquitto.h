#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "core/base/address.h"
#include "core/base/result.h"

namespace aiot::cli {

/// A mosquitto of the demo's own on a free port of loopback, with its own configuration. It ends with the
/// object, and with the process whatever becomes of that.
class DemoMosquitto {
 public:
  DemoMosquitto() = default;
  DemoMosquitto(const DemoMosquitto&) = delete;
  DemoMosquitto& operator=(const DemoMosquitto&) = delete;
  ~DemoMosquitto() { stop(); }

  /// Errc::unreachable when there is no mosquitto on this machine.
  Result<void> start(const std::string& folder);
  void stop();
  [[nodiscard]] const SocketAddress& address() const { return address_; }

 private:
  pid_t pid_ = -1;
  SocketAddress address_;
};

}  // namespace aiot::cli
