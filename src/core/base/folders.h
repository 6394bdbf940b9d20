#pragma once

#include <string>

#include "core/base/result.h"

namespace aiot {

/// Makes the folder `path` and what is missing above it, each readable by its owner alone; a folder
/// that is there already is left as it is. Errors: Errc::internal, naming `path` and the reason.
Result<void> make_private_folders(const std::string& path);

}  // namespace aiot
