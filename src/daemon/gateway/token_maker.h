#pragma once

#include <string>

#include "core/base/result.h"

namespace aiot {

class EventLoop;

namespace gateway {

struct Options;

/// The bearer token for each attempt to reach the broker.
class TokenMaker {
 public:
  TokenMaker(EventLoop& loop, const Options& options);
  /// The key file is read anew each time, so that new keys need no restart.
  Result<std::string> operator()() const;

 private:
  EventLoop& loop_;
  std::string name_, token_, key_file_;
};

}  // namespace gateway
}  // namespace aiot
