#pragma once

#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/uri.h"
#include "core/ws/ws_client.h"

namespace aiot {
class Client;
}

namespace aiot::cli {

class Context;

/// One thing a command asks, and the client that asks it.
struct Target {
  Uri uri;
  Client* client = nullptr;
};

/// The target that `text` names: a URI, or UID/RESOURCE at --broker. Errc::usage for anything else and for a
/// scheme that has no client.
[[nodiscard]] Result<Target> resolve_target(Context& context, const std::string& text);

/// All of `given` and, unless `from` is empty, one a line of that file ("-": standard input; empty lines and
/// lines that start with '#' are skipped). The first bad one fails, named with its line.
[[nodiscard]] Result<std::vector<Target>> resolve_targets(Context& context,
                                                          const std::vector<std::string>& given,
                                                          const std::string& from);

/// What requests must not be sent to at the same time: the host, and at a broker the node.
[[nodiscard]] std::string host_key(const Uri& uri);

/// "aiot://HOST:PORT" or "aiots://HOST:PORT" of a broker: what "/UID/RESOURCE" is appended to.
[[nodiscard]] std::string broker_base(const ws::Endpoint& endpoint);

}  // namespace aiot::cli
