#pragma once

#include <optional>
#include <string>
#include <string_view>
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
  std::string prefix;           ///< of --broker's URL
  Client* client = nullptr;     ///< once prepared
  std::optional<Error> failed;  ///< there is nothing to ask (expand_patterns)

  /// `*` in it stands for what a broker has.
  [[nodiscard]] bool is_pattern() const;
};

/// The target that `text` names: a URI, or UID/RESOURCE at --broker. Errc::usage for anything else.
[[nodiscard]] Result<Target> resolve_target(Context& context, const std::string& text);

/// All of `given` and, unless `from` is empty, one a line of that file ("-": standard input; empty lines and
/// lines that start with '#' are skipped). The first bad one fails, named with its line; so does a list
/// without any.
[[nodiscard]] Result<std::vector<Target>> resolve_targets(Context& context,
                                                          const std::vector<std::string>& given,
                                                          const std::string& from);

/// Gives each target its client, if `verb` (check_verb()'s) and the flags of this command line suit its
/// scheme. Otherwise reports the first that they do not suit, with its URI, and returns the exit status:
/// nothing was sent then. kDone when all is well.
[[nodiscard]] int prepare_targets(Context& context, std::string_view verb, std::vector<Target>& targets);

/// Reports a failure that came before anything was sent to `targets`; returns the exit status.
int fail_unsent(Context& context, Error error, const std::vector<Target>& targets);

/// What requests must not be sent to at the same time: the host, and at a broker the node.
[[nodiscard]] std::string host_key(const Uri& uri);

/// "aiot://HOST:PORT" or "aiots://HOST:PORT" of a broker: what "/UID/RESOURCE" is appended to.
[[nodiscard]] std::string broker_base(const ws::Endpoint& endpoint);

}  // namespace aiot::cli
