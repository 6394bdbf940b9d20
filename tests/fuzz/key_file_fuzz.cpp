#include "daemon/wire/key_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "fuzz.h"

namespace wire = aiot::wire;

void fuzz_one(std::string_view input) {
  static const int fd = ::memfd_create("keys", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);
  FUZZ_CHECK(::ftruncate(fd, 0) == 0);
  FUZZ_CHECK(::pwrite(fd, input.data(), input.size(), 0) == static_cast<ssize_t>(input.size()));
  const auto keys = wire::read_key_file(path);
  if (!keys) {
    FUZZ_CHECK(!keys.error().message.empty());
    return;
  }
  // Keys that were read make tokens that they admit.
  const auto token = wire::gateway_token(*keys, "paris", aiot::WallTime());
  FUZZ_CHECK(token);
  const auto name = wire::check_token(*keys, *token);
  FUZZ_CHECK(name && name->gateway == "paris");
}
