#include "daemon/broker/keys.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/base/log.h"

namespace aiot::broker {

Result<wire::Keys> open_keys(const std::string& path, const SocketAddress& listen) {
  std::error_code failed;
  if (std::filesystem::exists(path, failed) || failed) return wire::read_key_file(path);
  if (!listen.is_loopback()) {
    return make_error(Errc::usage,
                      fmt::format("the key file {} does not exist; aiot keys generate makes one", path));
  }
  auto made = wire::create_key_file(path);
  if (made) {
    log::info("made new keys in {}; gateways need this file, or a token of aiot keys token", path);
    return made;
  }
  // Another process that started with this one may have been first.
  if (made.error().code == Errc::usage) return wire::read_key_file(path);
  return made;
}

}  // namespace aiot::broker
