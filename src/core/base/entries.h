#pragma once

#include <string>
#include <string_view>

#include "core/base/function.h"
#include "core/base/result.h"

namespace aiot {

/// Calls `take` with each line of `text`, trimmed, that is neither empty nor a comment (#). The first error
/// of it ends that, and gets `file` and the line's number in front.
[[nodiscard]] Result<void> each_entry(std::string_view text, const std::string& file,
                                      const UniqueFunction<Result<void>(std::string_view line)>& take);

}  // namespace aiot
