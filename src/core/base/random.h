#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace aiot {

/// Fills `out` with random bytes of the kernel, buffered: a system call every 4 KB, not every call.
void random_bytes(void* out, std::size_t size);
[[nodiscard]] std::uint64_t random_u64();
/// A random UUID (RFC 4122 version 4), lower case.
[[nodiscard]] std::string random_uuid();
/// `wait` less up to half of it: jitter for retries, so that clients do not return in step.
template <class D>
[[nodiscard]] D jittered(D wait) {
  const auto half = wait.count() / 2;
  return half <= 0 ? wait
                   : D(wait.count() -
                       static_cast<typename D::rep>(random_u64() % static_cast<std::uint64_t>(half + 1)));
}

}  // namespace aiot
