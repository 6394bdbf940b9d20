#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/uri.h"
#include "core/loop/event_loop.h"
#include "daemon/gateway/policy.h"

namespace aiot::gateway {

/// Finds the addresses of the nodes named with --node, and finds them again while they are out.
class NameResolver {
 public:
  NameResolver(EventLoop& loop, Policy& policy);
  /// Errc::usage for what is not coap://HOST[:PORT].
  Result<void> add(const std::string& uri);
  void start();

 private:
  struct Name {
    std::string id;  ///< host:port, what the uid is made from
    Uri uri;
    Operation resolving;
    bool known = false;
    bool failed = false;
  };
  void resolve(Name& name);

  EventLoop& loop_;
  Policy& policy_;
  std::unique_ptr<Timer> again_;
  std::vector<std::unique_ptr<Name>> names_;
};

}  // namespace aiot::gateway
