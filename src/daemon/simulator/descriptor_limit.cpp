#include "daemon/simulator/descriptor_limit.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cerrno>

namespace aiot::simulator {

namespace {
constexpr std::size_t kOwn = 128;  // what the rest of the process has open
}

Result<void> reserve_descriptors(std::size_t needed) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return errno_error("reading the descriptor limit", errno);
  const auto wanted = static_cast<rlim_t>(needed + kOwn);
  if (limit.rlim_cur >= wanted) return {};
  rlimit raised{wanted, limit.rlim_max};
  if (wanted > limit.rlim_max) raised.rlim_max = wanted;
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return {};
  return make_error(Errc::internal,
                    fmt::format("{} descriptors are needed and the hard limit is {}: raise it (ulimit -Hn) "
                                "or simulate fewer nodes",
                                wanted, limit.rlim_max),
                    errno);
}

}  // namespace aiot::simulator
