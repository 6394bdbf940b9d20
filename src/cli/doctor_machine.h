#pragma once

#include <string>
#include <vector>

#include "cli/finding.h"
#include "core/base/time.h"

namespace aiot {
class EventLoop;
}

namespace aiot::cli {

class Config;

/// The findings about this machine alone, which need no waiting.

/// Keys and tables of the configuration that aiot does not know, and values that it does not take.
void check_configuration(const Config& config, const Report& report);
/// The machine's clock: set at all, and kept by somebody. TLS and tokens depend on it.
void check_clock(WallTime now, const Report& report);
/// The secrets' files, of which those of `files` that do not exist are left out, and all that the
/// configuration names: readable, and by nobody else.
void check_secrets(const Config& config, const std::vector<std::string>& files, const Report& report);
/// Room on the disks below the state directories in `usual` that exist, and below `named` (empty: none),
/// which need not; and whether they can be written.
void check_disk(const std::string& named, const std::vector<std::string>& usual, const Report& report);
/// Whether CoAP's multicast groups can be joined here.
void check_multicast(EventLoop& loop, const Report& report);

/// What to say of a disk with `free` of `total` bytes and `files` new files left; pure.
[[nodiscard]] Finding disk_finding(const std::string& folder, unsigned long long free,
                                   unsigned long long total, unsigned long long files);

}  // namespace aiot::cli
