#pragma once

#include <vector>

#include "cli/targets.h"

namespace aiot::cli {

/// Replaces each target that is a pattern (aiot://HOST/*/temperature) by the resources that match it now, in
/// the broker's order. One that matches nothing, or whose broker does not tell, stays as a target that has
/// failed. False when a signal or a closed stdout ended it.
[[nodiscard]] bool expand_patterns(Context& context, std::vector<Target>& targets);

}  // namespace aiot::cli
