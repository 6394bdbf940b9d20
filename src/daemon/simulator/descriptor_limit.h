#pragma once

#include <cstddef>

#include "core/base/result.h"

namespace aiot::simulator {

/// Makes room for `needed` more descriptors: raises the soft limit, and the hard one where this process
/// may. Errc::internal names the limit that is too low.
[[nodiscard]] Result<void> reserve_descriptors(std::size_t needed);

}  // namespace aiot::simulator
